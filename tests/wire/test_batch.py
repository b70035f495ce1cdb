"""Bodies that make batches, and the results of batches, however they are cut."""

from pathlib import Path

import msgspec
import pytest

from clearway.core.errors import BadRequest
from clearway.core.usage import Cost, Usage
from clearway.wire.messages.batch import ResultsMeter, Sum, read_batch
from clearway.wire.messages.objects import made_id, with_results_url


def recorded(folder: Path) -> list[tuple[str, str, bytes, bytes]]:
    """Method, path, body of the request and of the answer of each recorded batch."""
    found = []
    for file in sorted((folder / "anthropic.batches").glob("*.json")):
        told = msgspec.json.decode(file.read_bytes())
        asked, said = told["request"], told["response"]
        found.append((asked["method"], asked["path"], msgspec.json.encode(asked["body"]), said["body_text"].encode()))
    return found


def price(usage: Usage, model: str | None) -> Cost:
    """A nano-dollar for each token, two in prompts over a hundred; nothing is known of `other`."""
    rate = 2 if usage.prompt_tokens > 100 else 1
    nano = None if model == "other" else rate * (usage.prompt_tokens + usage.output_tokens)
    return Cost(nano=nano, price_version="1", billing="billed")


def line(tokens: int, model: str = "m", kind: str = "succeeded", **usage: object) -> bytes:
    """One result."""
    message = {"model": model, "usage": {"input_tokens": tokens, "output_tokens": 1, **usage}}
    return msgspec.json.encode({"custom_id": "a", "result": {"type": kind, "message": message}}) + b"\n"


LINES = line(10) + line(200) + line(5, "other") + b"\n" + line(7, kind="errored") + line(3)[:-1]


def metered(*pieces: bytes) -> ResultsMeter:
    """A meter that has seen all of it."""
    meter = ResultsMeter(price)
    for piece in pieces:
        meter.feed(piece)
    meter.close()
    return meter


def test_each_message_by_itself() -> None:
    """The price of a long prompt is for that prompt alone; what has no price makes its model's sum unknown."""
    meter = metered(LINES)

    assert meter.is_sure
    assert {
        "m": Sum(Usage(input_tokens=213, output_tokens=3, service_tier="batch"), 11 + 402 + 4, "1"),
        "other": Sum(Usage(input_tokens=5, output_tokens=1, service_tier="batch"), None, "1"),
    } == meter.sums


def test_any_cut() -> None:
    """Cutting the lines in two, anywhere, changes nothing."""
    whole = metered(LINES).sums
    for cut in range(len(LINES) + 1):
        assert whole == metered(LINES[:cut], LINES[cut:]).sums


@pytest.mark.parametrize(
    "bad", [b"{\n", b"\xff\n", b"[]\n", b'{"result":1}\n', b'{"result":{"type":1}}\n', b"[" * 10_000]
)
def test_what_cannot_be_read(bad: bytes) -> None:
    """Makes the sums unsure, and breaks nothing."""
    meter = metered(line(1), bad, b"\n", line(2))

    assert not meter.is_sure
    assert 3 == meter.sums["m"].usage.input_tokens


def test_a_line_without_end() -> None:
    """Is given up, and not held."""
    meter = ResultsMeter(price)
    for _ in range(40):
        meter.feed(b"x" * (1 << 20))
    meter.feed(b"\n" + line(1))
    meter.close()

    assert not meter.is_sure
    assert 1 == meter.sums["m"].usage.input_tokens


def test_recorded_results(recordings: Path) -> None:
    """What the real API sent is read."""
    read = [body for _, path, _, body in recorded(recordings) if path.endswith("/results")]
    sums = [metered(body).sums for body in read]

    assert sums
    for found in sums:
        assert {"claude-haiku-4-5-20251001"} == set(found)
        usage = found["claude-haiku-4-5-20251001"].usage
        assert ("batch", "not_available") == (usage.service_tier, usage.inference_geo)
        assert usage.input_tokens


def test_recorded_bodies(recordings: Path) -> None:
    """What a real client sent is sent on byte for byte; of answers only `results_url` changes."""
    makes = [
        (asked, said)
        for method, path, asked, said in recorded(recordings)
        if (method, path) == ("POST", "/v1/messages/batches")
    ]
    told = [said for _, path, _, said in recorded(recordings) if not path.endswith("/results")]

    assert makes
    for asked, said in makes:
        assert asked == read_batch(asked, lambda model: model).body
        assert str(made_id("batch", said)).startswith("msgbatch_")
    for said in told:
        changed = msgspec.json.decode(with_results_url(said, "http://127.0.0.1:1/x"))
        before = msgspec.json.decode(said)
        assert ("http://127.0.0.1:1/x" if before["results_url"] else None) == changed["results_url"]
        assert {**before, "results_url": 0} == {**changed, "results_url": 0}


def test_results_url_only() -> None:
    """Text that looks like the member stays, as do the bytes around it."""
    body = b'{"id" : "x", "note":"\\"results_url\\":\\"a\\"", "results_url" : "https://a/b" , "z":1.50}'

    assert body.replace(b"https://a/b", b"/c") == with_results_url(body, "/c")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("file", b'{"id":"file_a1"}', "file_a1"),
        ("file", b'{"id":"msgbatch_a1"}', None),
        ("batch", b'{"id":"msgbatch_a1"}', "msgbatch_a1"),
        ("file", b'{"id":"file_a/../b"}', None),
        ("file", b'{"id":"file_a\\n"}', None),
        ("file", b'{"id":1}', None),
        ("file", b"", None),
        ("file", b"\xff", None),
        ("file", b"[" * 100_000, None),
    ],
)
def test_made_id(kind: str, body: bytes, expected: str | None) -> None:
    """Only what has the form of an id is one."""
    assert expected == made_id(kind, body)  # type: ignore[arg-type]  # one of both


def test_depth() -> None:
    """Nesting is refused as in other bodies."""
    body = b'{"requests":[{"params":{"model":"m","messages":%b}}]}' % (b"[" * 100_000)
    with pytest.raises(BadRequest):
        read_batch(body, lambda model: model)


def test_numbers_and_unknown_members_stay() -> None:
    """Values are never read and written again."""
    body = b'{"requests":[{"custom_id":"a","extra":1e400,"params":{"model":"m","x":1.000,"y":"\\u00e9"}}],"more":-0.0}'

    assert body == read_batch(body, lambda model: model).body
