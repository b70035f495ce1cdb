"""Codex CLI itself, through the gateway: what it is told by `clearway env codex`, or by `clearway run -- codex`.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clearway.wire.hub.names import DEFAULTS
from tests.chat.telling import cited, end, event, search, start, text, thinking, tool_use
from tests.clients.actor import Actor, Json, Part, results, said, thought
from tests.clients.codex import Codex, Said
from tests.clients.outside import Outside
from tests.clients.stage import CREDENTIAL
from tests.fake_upstream import Cut, FakeUpstream, Gate, Pause, error_answer, stream_answer
from tests.gateway_process import PROGRAM, GatewayProcess, anthropic

pytestmark = [pytest.mark.client, pytest.mark.timeout(90)]

CLAUDE, OPENAI, MODEL = "claude-sonnet-5-5", "gpt-5.5", "claude-opus-5-5"
"""A name of each family, and the model of the second."""
SETTINGS = """
[server]
heartbeat_s = 0.4

[retries]
longest_cool_down_s = 0
max = 0
"""
USED = {
    "input_tokens": 910,
    "cached_input_tokens": 700,
    "cache_write_input_tokens": 200,
    "output_tokens": 50,
    "reasoning_output_tokens": 20,
}
"""What Codex counts for an answer, all of tests/chat/telling."""
UNKNOWN = "Model metadata for `claude-sonnet-5-5` not found"
OVERLOADED = error_answer(529, "overloaded_error", "Overloaded")
PROVIDER = "model_providers.clearway"


class Studio(msgspec.Struct, frozen=True):
    """What one test gets: gateway, model and key are shared, Codex and its configuration are its own."""

    gateway: GatewayProcess
    model: Actor
    codex: Codex

    def rows(self, told: Said, count: int) -> list[dict[str, object]]:
        """What the ledger has of a session, when it is that much; each look takes a process of its own."""
        rows: list[dict[str, object]] = []
        for _ in range(10):
            rows = [row for row in self.gateway.settled(1) if row["session_id"] == told.session]
            if len(rows) >= count:
                break

        assert count == len(rows)
        return rows


class Shared(msgspec.Struct, frozen=True):
    """What takes a while to start."""

    gateway: GatewayProcess
    model: Actor
    profile: str
    key: str


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    model = Actor()
    with FakeUpstream(model.answer) as upstream:
        home = tmp_path_factory.mktemp("studio")
        variables = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        with GatewayProcess(home, SETTINGS + anthropic(upstream.url), environment=variables) as gateway:
            yield Shared(gateway, model, gateway.cli("env", "codex", "--with-key").stdout, gateway.new_key("codex"))


@pytest.fixture
def studio(_shared: Shared, codex_program: Path, outside: Outside) -> Studio:
    """Codex with a key."""
    _shared.model.clear()
    return Studio(_shared.gateway, _shared.model, Codex(codex_program, outside, _shared.profile, _shared.key))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param(CLAUDE, CLAUDE, id="X1-claude"),
        pytest.param(OPENAI, MODEL, id="X1-openai"),
        pytest.param("", MODEL, id="X1-its-own-choice"),
    ],
)
def test_answer(name: str, model: str, studio: Studio) -> None:
    """It shows the answer and what was thought, counts what was used, and the ledger knows its session."""
    studio.model.play("Hello \u20ac \U0001f327.")
    told = studio.codex.ask("hi", model=name)

    assert (0, ["Hello \u20ac \U0001f327."], USED) == (told.code, told.answers, told.usage), told
    assert [thought(0)["thinking"]] == [item["text"] for item in told.items("reasoning")]
    assert ([UNKNOWN] if name == CLAUDE else []) == [trouble.split(".")[0] for trouble in told.troubles]
    (asked,) = studio.model.asked
    assert model == asked["model"]
    assert "Codex" in asked["system"][0]["text"]
    (row,) = studio.rows(told, 1)
    assert ("ok", "responses", "codex_exec", "0.169.0") == (
        row["outcome"], row["wire"], row["client_name"], row["client_version"],
    )  # fmt: skip


def test_names(codex_program: Path, outside: Outside) -> None:
    """X1: every model that it offers has a meaning here."""
    catalogue = json.loads(outside.run(codex_program, "debug", "models", "--bundled", CODEX_HOME=str(outside.home)))
    offered = {model["slug"] for model in catalogue["models"] if model["visibility"] == "list"}

    assert {OPENAI} < offered <= DEFAULTS.keys()


def _patch(before: str, after: str) -> str:
    return f"*** Begin Patch\n*** Update File: greet.sh\n@@\n-{before}\n+{after}\n*** End Patch\n"


def _patched(name: str, before: str, after: str) -> Part:
    """By the tool of that name where a model is offered one, by a command of that name elsewhere."""
    patch = _patch(before, after)
    if name == OPENAI:
        return [("apply_patch", {"input": patch})]
    return [("exec_command", {"cmd": f"apply_patch <<'END'\n{patch}END\n"})]


def _ran(command: str) -> Part:
    return [("exec_command", {"cmd": command})]


@pytest.mark.parametrize(
    ("name", "tool"), [pytest.param(OPENAI, "apply_patch", id="X3"), pytest.param(CLAUDE, "exec_command", id="X2")]
)
def test_loop(name: str, tool: str, studio: Studio) -> None:
    """It reads, patches, runs, hears that it fails, patches and runs again, over an overload in the middle; what was
    thought comes back each time, unchanged and in its place.
    """
    file = studio.codex.scratch / "greet.sh"
    file.write_text("echo helo\n")
    studio.model.play(
        _ran("cat greet.sh"),
        _patched(name, "echo helo", "echo hullo"),
        _ran("sh greet.sh | grep -x hello || echo wrong"),
        _patched(name, "echo hullo", "echo hello"),
        _ran("sh greet.sh | grep -x hello"),
        "Mended.",
    )
    studio.model.instead(2, OVERLOADED)
    told = studio.codex.ask("Mend greet.sh.", model=name)

    assert (0, ["Mended."], "echo hello\n") == (told.code, told.answers, file.read_text()), told
    assert ["update", "update"] == [change["kind"] for item in told.items("file_change") for change in item["changes"]]
    asked = studio.model.asked[-1]
    made = ["echo helo", "Success. Updated", "wrong", "Success. Updated", "Output:\\nhello"]
    for number, words in enumerate(made):
        (result,) = results(asked, number)

        assert words in result
    calls = [block["name"] for message in asked["messages"] for block in message["content"] if "input" in block]
    assert ["exec_command", tool, "exec_command", tool, "exec_command"] == calls
    assert USED["input_tokens"] * 6 == told.usage["input_tokens"]
    outcomes = [row["outcome"] for row in studio.rows(told, 7)]
    assert ["ok", "ok", "upstream_error", "ok", "ok", "ok", "ok"] == outcomes


@pytest.mark.parametrize("name", [CLAUDE, OPENAI])
def test_parallel_calls(name: str, studio: Studio) -> None:
    """X2: calls of one answer are all made, and their results come back in its order, whichever was first."""
    slow, quick = {"cmd": "sleep 0.5; echo one"}, {"cmd": "echo two"}
    studio.model.play([("exec_command", slow), ("exec_command", quick)], "Both.")
    told = studio.codex.ask("Both, please.", model=name)

    assert (0, ["Both."], 2) == (told.code, told.answers, len(told.items("command_execution"))), told
    one, two = results(studio.model.asked[-1], 0)
    assert ("one\\n" in one, "two\\n" in two) == (True, True)


def test_code_mode(studio: Studio) -> None:
    """X3: its newest models are offered tools by an item alone, in namespaces, and write a program to call them."""
    program = "const done = await tools.exec_command({cmd: 'echo through'}); text(done.output);"
    studio.model.play([("exec", {"input": program})], "Done.")
    told = studio.codex.ask("go")

    assert (0, ["Done."]) == (told.code, told.answers), told
    (result,) = results(studio.model.asked[-1], 0)
    assert "through" in result


def test_websocket_first(studio: Studio) -> None:
    """X4: its built-in provider tries a WebSocket, is refused once, and asks by POST in the same second."""
    studio.model.play("By POST.")
    codex = studio.codex
    config = codex.folder / "config.toml"
    config.write_text(f'openai_base_url = "{studio.gateway.url}/v1"\n{config.read_text()}')
    (codex.folder / "clearway.config.toml").write_text("")
    codex.environment["CODEX_API_KEY"] = codex.environment["CLEARWAY_KEY"]
    told = codex.ask("hi", model=OPENAI)

    assert (0, ["By POST."], []) == (told.code, told.answers, told.troubles), told
    assert 1 == told.errors.count("failed to connect to Responses WebSocket")
    assert 1 == len(studio.model.asked)


@pytest.mark.parametrize("is_thinking", [True, False], ids=["in-a-thought", "before-the-first-word"])
def test_silence(is_thinking: bool, studio: Studio) -> None:  # noqa: FBT001  # a table of two rows
    """X5: it waits through a silence that is longer than its own patience, without a reconnection."""
    begin, thinks, *more = said("Waited.", 0)
    pieces = [begin, thinks, Pause(2), *more] if is_thinking else [Pause(2), begin, thinks, *more]
    studio.model.instead(0, stream_answer(pieces))
    told = studio.codex.ask("Wait.", "-c", f"{PROVIDER}.stream_idle_timeout_ms=1000", model=OPENAI)

    assert (0, ["Waited."], []) == (told.code, told.answers, told.troubles), told
    assert 1 == len(studio.model.asked)


def test_overload(studio: Studio) -> None:
    """X6: an overload that lasts is told as one."""
    studio.model.instead(0, OVERLOADED, OVERLOADED)
    told = studio.codex.ask("hi", "-c", f"{PROVIDER}.request_max_retries=1", model=OPENAI)

    assert (1, "Selected model is at capacity. Please try a different model.") == (told.code, told.failure), told
    assert 2 == len(studio.model.asked)


def test_overload_within_an_answer(studio: Studio) -> None:
    """X6: one that comes after the first words is told on the way, and the turn goes on."""
    trouble = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    studio.model.play("Again.")
    studio.model.instead(0, stream_answer([start(), thinking(0, "hm"), trouble]))
    told = studio.codex.ask("hi", model=OPENAI)

    assert (0, ["Again."], 2) == (told.code, told.answers, len(studio.model.asked)), told
    (trouble_told,) = told.troubles
    assert "Overloaded" in trouble_told


def test_no_room(studio: Studio) -> None:
    """X7: a prompt that is too long is told in its own words, after one request."""
    words = "prompt is too long: 1200000 tokens > 1000000 maximum"
    studio.model.instead(0, error_answer(400, "invalid_request_error", words))
    told = studio.codex.ask("hi", model=OPENAI)

    assert 1 == told.code
    assert told.failure.startswith("Codex ran out of room in the model's context window.")
    assert 1 == len(studio.model.asked)


def test_spent_budget(studio: Studio) -> None:
    """X8: the key's budget is spent: it says so after one request, and nothing goes upstream."""
    studio.codex.environment["CLEARWAY_KEY"] = studio.gateway.new_key("spent", "--budget", "0.000001usd/day")
    told = studio.codex.ask("hi", model=OPENAI)

    assert (1, "Quota exceeded. Check your plan and billing details.") == (told.code, told.failure), told
    assert [] == studio.model.asked
    (row,) = studio.rows(told, 1)
    assert ("denied", "budget_exceeded", 429) == (row["outcome"], row["error_code"], row["status"])


@pytest.mark.parametrize("name", [CLAUDE, OPENAI])
def test_form(name: str, studio: Studio) -> None:
    """X9: `--output-schema` is a structured answer."""
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    file = studio.codex.folder / "schema.json"
    file.write_text(json.dumps(schema))
    studio.model.play('{"city": "Oslo"}')
    told = studio.codex.ask("Where?", "--output-schema", str(file), model=name)

    assert (0, {"city": "Oslo"}) == (told.code, json.loads(told.answers[0])), told
    assert {"type": "json_schema", "schema": schema} == studio.model.asked[0]["output_config"]["format"]


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_image(studio: Studio) -> None:
    """X10: an image of the command line is one in the prompt; one that a tool looks at is one in its result."""
    (studio.codex.scratch / "dot.png").write_bytes(base64.b64decode(DOT))
    path = str(studio.codex.scratch / "dot.png")
    studio.model.play([("view_image", {"path": path})], "A dot, twice.")
    told = studio.codex.ask("Look.", "--image=dot.png", model=OPENAI)

    assert (0, ["A dot, twice."]) == (told.code, told.answers), told
    prompt, _, seen = (message["content"] for message in studio.model.asked[-1]["messages"])
    for blocks in (prompt, seen[0]["content"]):
        (source,) = [block["source"] for block in blocks if block["type"] == "image"]

        assert ("base64", "image/png") == (source["type"], source["media_type"])


def _agent(asked: Json) -> str:
    agent: str = json.loads(json.loads(results(asked, 0)[0]))["agent_id"]
    return agent


def test_agents(studio: Studio) -> None:
    """X11: an agent is started, waited for and closed by tools of a namespace; the ledger knows whose it is."""
    studio.model.play(
        [("spawn_agent", {"message": "Count the stars."})],
        lambda asked: [("wait_agent", {"targets": [_agent(asked)]})],
        lambda asked: [("close_agent", {"target": _agent(asked)})],
        "Seven, it says.",
    )
    studio.model.play("Seven.", to="Count the stars.")
    told = studio.codex.ask("Have the stars counted.", model=CLAUDE)

    assert (0, ["Seven, it says."]) == (told.code, told.answers), told
    calls = [(item["tool"], item["status"]) for item in told.items("collab_tool_call")]
    assert [("spawn_agent", "completed"), ("wait", "completed"), ("close_agent", "completed")] == calls
    last: Any = max(studio.model.asked, key=lambda asked: len(asked["messages"]))
    assert "Seven." in results(last, 1)[0]
    rows = studio.rows(told, 5)
    whose = sorted((row["parent_agent_id"], row["agent_id"] or "") for row in rows)
    assert [(None, "")] * 4 + [(None, _agent(last))] == whose


def test_search(studio: Studio) -> None:
    """A search of the upstream's own is shown as one, and does not stand in the way of what follows."""
    begin, thinks, *_ = said("", 0)
    found = [search(1, "srvtoolu_1", "rain"), cited(3, "It rains.", "https://x.test/"), end()]
    studio.model.play("", "Still.")
    studio.model.instead(0, stream_answer([begin, thinks, *found]))
    told = studio.codex.ask("Does it rain?", model=CLAUDE)
    again = studio.codex.ask("And now?", model=CLAUDE, resume=True)

    assert (["rain"], ["It rains."]) == ([item["query"] for item in told.items("web_search")], told.answers), told
    assert (0, ["Still."]) == (again.code, again.answers), again
    _, kept, _ = studio.model.asked[-1]["messages"]
    assert [thought(0), {"type": "text", "text": "It rains."}] == kept["content"]


@pytest.mark.parametrize("name", [CLAUDE, OPENAI])
def test_compaction(name: str, studio: Studio) -> None:
    """It knows from our usage that there is little room, has a summary made, and goes on with that."""
    full = start({"input_tokens": 100_000, "output_tokens": 1})
    studio.model.play("Done.", "So far, so good.")
    studio.model.instead(0, stream_answer([full, *said(_ran("echo one"), 0)[1:]]))
    told = studio.codex.ask("A long task.", "-c", "model_auto_compact_token_limit=9000", model=name)

    assert (0, ["Done."]) == (told.code, told.answers), told
    _, summed, last = studio.model.asked
    assert "one\\n" in results(summed, 0)[0]
    assert "user" == summed["messages"][-1]["role"]
    assert "So far, so good." in json.dumps(last["messages"][0])


def test_cut_after_a_message(studio: Studio) -> None:
    """X12: what had been said is shown and kept; the request that comes again ends with it, and is answered."""
    whole = thought(0)
    begun = tool_use(2, "toolu_never", "exec_command", '{"cmd": ', is_whole=False)
    thinks = thinking(0, whole["thinking"], signature=whole["signature"])
    studio.model.play("Never said.", "The second half.")
    studio.model.instead(0, stream_answer([start(), thinks, text(1, "The first half."), begun, Cut.RST]))
    told = studio.codex.ask("Tell it.", model=OPENAI)

    assert (0, ["The first half.", "The second half."]) == (told.code, told.answers), told
    _, kept, last = studio.model.asked[-1]["messages"]
    assert [whole, {"type": "text", "text": "The first half."}] == kept["content"]
    assert "user" == last["role"]
    assert 2 == len(studio.model.asked)


def test_interruption(studio: Studio) -> None:
    """X12: Ctrl-C in the middle of an answer ends the request upstream, and the session goes on from what was done."""
    gate = Gate()
    studio.model.play(_ran("echo one"), "Resumed.")
    studio.model.instead(1, stream_answer([start(), *said("", 1)[1:2], text(1, "Begun, and"), gate]))
    with studio.codex.started("A long task.", model=CLAUDE) as process:
        gate.wait_reached()
        left = studio.codex.interrupted(process)
    told = studio.codex.ask("Go on.", model=CLAUDE, resume=True)

    assert 0 != left.code
    assert (0, ["Resumed."]) == (told.code, told.answers), told
    assert left.session == told.session
    asked = studio.model.asked[-1]
    assert "one\\n" in results(asked, 0)[0]
    assert "Go on." == asked["messages"][-1]["content"][-1]["text"]
    assert ["ok", "client_closed", "ok"] == [row["outcome"] for row in studio.rows(told, 3)]


def test_interrupted_command(studio: Studio) -> None:
    """X12: a command that was broken off has a result that says so, and the session goes on."""
    begun = studio.codex.scratch / "begun"
    studio.model.play(_ran("touch begun; sleep 60"), "Resumed.")
    with studio.codex.started("A long command.", model=OPENAI) as process:
        while not begun.exists():
            assert process.poll() is None
        studio.codex.interrupted(process)
    told = studio.codex.ask("Go on.", model=OPENAI, resume=True)

    assert (0, ["Resumed."]) == (told.code, told.answers), told
    assert "aborted by user" in results(studio.model.asked[-1], 0)[0]


def test_run(studio: Studio) -> None:
    """X1: `clearway run -- codex` needs no configuration of Codex, and changes none."""
    codex, gateway = studio.codex, studio.gateway
    (codex.folder / "clearway.config.toml").unlink()
    codex.environment |= {name: value for name, value in gateway.environment.items() if name.startswith("CLEARWAY_")}
    codex.environment |= {"UPSTREAM_CREDENTIAL": CREDENTIAL}
    before = (codex.folder / "config.toml").read_text()
    studio.model.play(_ran("printf through > made.txt"), "Made.")
    with codex.started("Make it.", model=CLAUDE, before=(PROGRAM, "run", "--")) as process:
        told = codex.ended(process)

    assert (0, ["Made."]) == (told.code, told.answers), told
    assert "through" == (codex.scratch / "made.txt").read_text()
    assert "2 requests ·" in told.errors
    assert before == (codex.folder / "config.toml").read_text()
    assert not (codex.folder / "auth.json").exists()
    assert 1 == len({row["run_id"] for row in studio.rows(told, 2) if row["run_id"]})
