"""Token counts and the simulated prompt cache: the arithmetic is written out."""

import pytest

from clearway.upstreams.simulation.ask import Ask, Turn
from clearway.upstreams.simulation.cache import PromptCache
from clearway.upstreams.simulation.prompt import measure
from tests.sim.asking import MODEL, HandClock, Json, ask, count, make_sim, post, prompt, send

FIVE: Json = {"type": "ephemeral"}
HOUR: Json = {"type": "ephemeral", "ttl": "1h"}


def text(size: int, control: Json | None = None, letter: str = "x") -> Json:
    """A text block of `size` bytes."""
    block: Json = {"type": "text", "text": letter * size}
    return {**block, "cache_control": control} if control else block


def user(*blocks: Json) -> Json:
    """A request with one user message."""
    return prompt("", messages=[{"role": "user", "content": list(blocks)}])


SIZES = [
    pytest.param(prompt("1234567"), 2, id="7-bytes"),
    pytest.param(prompt("12345678"), 3, id="rounded-up"),
    pytest.param(prompt("ä" * 7), 4, id="bytes-not-letters"),
    pytest.param(prompt(""), 0, id="nothing"),
    pytest.param(prompt("1234567", system="1234567"), 4, id="system"),
    pytest.param(prompt("1234567", system=[text(7), text(7)]), 6, id="system-blocks"),
    pytest.param(user(text(3), text(4)), 2, id="rounded-once"),
    pytest.param(prompt("", tools=[{"name": "n"}]), 4, id="tool-as-compact-json"),
    pytest.param(user({"type": "image", "source": {"type": "base64", "data": "A" * 99}}), 1500, id="image-flat"),
    pytest.param(user({"type": "document", "source": {"type": "text", "data": "1234567"}}), 2, id="document-text"),
    pytest.param(user({"type": "tool_result", "tool_use_id": "t", "content": "1234567"}), 2, id="tool-result"),
    pytest.param(user({"type": "tool_result", "tool_use_id": "t", "content": [text(7)]}), 2, id="tool-result-blocks"),
]


@pytest.mark.parametrize(("fields", "tokens"), SIZES)
async def test_counts(fields: Json, tokens: int) -> None:
    """Bytes / 3.5, rounded up; `count_tokens` and the usage agree."""
    usage = (await send(make_sim(), post(fields))).message().usage

    assert tokens == await count(make_sim(), fields)
    assert tokens == usage.input_tokens


def told(usage: Json) -> tuple[object, ...]:
    """Input, read, written for 5 minutes, written for an hour."""
    written = usage["cache_creation"]
    assert isinstance(written, dict)
    five, hour = written["ephemeral_5m_input_tokens"], written["ephemeral_1h_input_tokens"]
    assert usage["cache_creation_input_tokens"] == five + hour
    return usage["input_tokens"], usage["cache_read_input_tokens"], five, hour


STORIES = [
    pytest.param([(user(text(70)), (20, 0, 0, 0))] * 2, id="no-breakpoint-no-cache"),
    pytest.param(
        [(user(text(70, FIVE), text(7)), (2, 0, 20, 0)), (user(text(70, FIVE), text(7)), (2, 20, 0, 0))],
        id="written-then-read",
    ),
    pytest.param(
        [
            (user(text(70, FIVE)), (0, 0, 20, 0)),
            (user(text(70), text(35, FIVE)), (0, 20, 10, 0)),
            (user(text(70), text(35), text(7, FIVE)), (0, 30, 2, 0)),
        ],
        id="breakpoint-moves-on",
    ),
    pytest.param(
        [(user(text(70, HOUR), text(35, FIVE), text(7)), (2, 0, 10, 20))],
        id="two-lives",
    ),
    pytest.param(
        [(user(text(70, FIVE)), (0, 0, 20, 0)), (user(text(70, FIVE, "y")), (0, 0, 20, 0))],
        id="other-text",
    ),
    pytest.param(
        [(user(text(70, FIVE)), (0, 0, 20, 0)), ({**user(text(70, FIVE)), "model": "claude-haiku-5-5"}, (0, 0, 20, 0))],
        id="other-model",
    ),
    pytest.param(
        [
            (prompt("1234567", system="s" * 70, cache_control=FIVE), (0, 0, 22, 0)),
            (prompt("1234567", system="s" * 70, cache_control=FIVE), (0, 22, 0, 0)),
        ],
        id="top-level-marks-the-end",
    ),
    pytest.param(
        [
            (prompt("", tools=[{"name": "n", "cache_control": HOUR}]), (0, 0, 0, 4)),
            (prompt("1234567", tools=[{"name": "n", "cache_control": HOUR}]), (2, 4, 0, 0)),
        ],
        id="tools-come-first",
    ),
    pytest.param(
        [(user(text(70, FIVE)), (0, 0, 20, 0)), (prompt("x" * 70, cache_control=FIVE), (0, 20, 0, 0))],
        id="string-is-a-text-block",
    ),
    pytest.param(
        [(user(text(70, FIVE)), (0, 0, 20, 0)), (user(text(70)), (20, 0, 0, 0))],
        id="read-needs-a-breakpoint",
    ),
    pytest.param(
        [
            (user({"type": "tool_result", "tool_use_id": "t", "content": [text(70, FIVE)]}), (0, 0, 20, 0)),
            (
                user({"type": "tool_result", "tool_use_id": "t", "content": [text(70)], "cache_control": FIVE}),
                (0, 20, 0, 0),
            ),
        ],
        id="mark-within-a-tool-result",
    ),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("story", STORIES)
async def test_story(story: list[tuple[Json, tuple[int, int, int, int]]], *, stream: bool) -> None:
    """One request after the other, with what each must be billed; a stream alike."""
    sim = make_sim()
    for fields, expected in story:
        got = await send(sim, post({**fields, "stream": stream}))
        message = got.events()[0][1]["message"] if stream else got.json()

        assert isinstance(message, dict)
        assert expected == told(message["usage"])


@pytest.mark.parametrize(("control", "life"), [(FIVE, 300), (HOUR, 3600)])
async def test_life(control: Json, life: int) -> None:
    """A prefix is forgotten after its time; reading it starts the time anew."""
    clock = HandClock()
    sim = make_sim(clock)
    reads: list[int | None] = []
    for wait in (0, life - 1, life - 1, life):
        clock.seconds += wait
        usage = (await send(sim, post(user(text(70, control))))).message().usage
        reads.append(usage.cache_read_input_tokens)

    assert [0, 20, 20, 0] == reads


async def test_counting_and_errors_leave_no_trace() -> None:
    """Neither `count_tokens` nor an error answer writes to the cache."""
    sim = make_sim()
    fields = prompt(
        "", messages=[{"role": "user", "content": [text(70, FIVE), text(0), {"type": "text", "text": "a"}]}]
    )
    assert await count(sim, fields) == 21
    await ask(sim, "sim:error 500", system=[text(70, FIVE)])
    usage = (await ask(sim, "hello", system=[text(70, FIVE)])).message().usage

    assert usage.cache_read_input_tokens == 0


@pytest.mark.parametrize(
    "blocks", [[text(1, FIVE)] * 5, [text(1, FIVE), text(1, HOUR)]], ids=["five-breakpoints", "hour-after-5-minutes"]
)
async def test_refused(blocks: list[Json]) -> None:
    """What the API refuses about breakpoints is refused."""
    got = await send(make_sim(), post(user(*blocks)))

    assert got.status == 400
    assert str(got.error()["message"]).startswith("cache_control")


def test_bounded() -> None:
    """The cache never grows over its size; the least recently used prefix goes first."""
    cache = PromptCache(HandClock(), size=3)

    def read(letter: str) -> int:
        turn = Turn("user", [text(70, FIVE, letter)])
        return cache.charge(MODEL, measure(Ask(MODEL, [turn]))).read_tokens

    assert [0, 0, 0, 20, 0, 20, 0] == [read(letter) for letter in "abcadab"]
    assert len(cache) == 3
