"""b23: A compressed request goes on as it was packed and is metered like any other; one that is a bomb does not.

Elsewhere compressed bodies were taken for broken JSON, or went on unpacked under the name of their coding:
cc-switch-cli#469.
Formats: messages
"""

import gzip
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard

from tests.clients.answers import FINAL_OUTPUT, HEADERS, USAGE, events
from tests.fake_upstream import json_answer, stream_answer
from tests.relay.stage import PAYERS, Payer, Stage
from tests.relay.wire_client import JSON, MODEL, VERSION, Whole, prompt

MAX_BODY = 100_000
# Spacing, key order, escapes and numbers that any rewrite would change.
ODD = (
    b'\n{ "x_future":[1.0,1e3, -0.0], "messages":[{"role":"user","content":"\\u20ac \xe2\x82\xac \\/"}],'
    b'  "model" : "swift",\t"max_tokens":50,"stream":true}\n'
)


def _deflate_without_its_wrapper(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip-in-two-members": ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
    "x-gzip": ("x-gzip", gzip.compress),
    "upper-case": ("GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate-without-its-wrapper": ("deflate", _deflate_without_its_wrapper),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "gzip-twice": ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    "br-then-gzip": ("br,gzip", lambda body: gzip.compress(brotli.compress(body))),
    "identity": ("identity", bytes),
}
CODED = [name for name in PACKERS if name != "identity"]


@pytest.fixture(scope="module")
def shared_small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway that takes small bodies only."""
    settings = f'[server]\nmax_body = {MAX_BODY}\n[models.aliases]\nswift = "claude-haiku-4-5"\n'
    stage = Stage(tmp_path_factory.mktemp("small"), settings=settings)
    with stage.upstream, stage.gateway:
        yield stage


@pytest.fixture
def small(shared_small: Stage) -> Stage:
    """Its upstream answers with a stream."""
    shared_small.play(stream_answer(events("heard", MODEL), headers=HEADERS))
    return shared_small


def _pack(name: str, body: bytes) -> tuple[bytes, tuple[str, str]]:
    coding, packer = PACKERS[name]
    return packer(body), ("content-encoding", coding)


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("name", PACKERS)
def test_it_goes_on_as_it_was_packed(small: Stage, name: str, payer: Payer) -> None:
    """b23: In any coding the upstream gets the client's bytes, and the ledger knows what was asked and used."""
    packed, field = _pack(name, prompt("grüß"))

    whole = small.ask(payer, packed, field)

    assert 200 == whole.head.status
    (received,) = small.received
    assert (packed, field[1]) == (received.body, received.header("content-encoding"))
    assert str(len(packed)) == received.header("content-length")
    row = small.books.settled(whole.head.exchange_id)
    assert ("ok", MODEL, True, len(packed)) == (row.outcome, row.request_model, row.stream, row.request_bytes)
    assert (USAGE["input_tokens"], FINAL_OUTPUT, False) == (row.input_tokens, row.output_tokens, row.estimated)
    assert row.cost_nano


@pytest.mark.parametrize("name", CODED)
def test_in_pieces_of_unknown_length(small: Stage, name: str) -> None:
    """b23: The same where the body comes in chunks, whose cuts are no part of it."""
    packed, field = _pack(name, prompt())
    with small.client() as client:
        head = [small.key_field, VERSION, JSON, field, ("transfer-encoding", "chunked")]
        client.send(client.head("POST", "/v1/messages", head))
        for at in range(0, len(packed), 9):
            client.send(b"%x\r\n%b\r\n" % (len(packed[at : at + 9]), packed[at : at + 9]))
        client.send(b"0\r\n\r\n")

        assert 200 == client.read_whole().head.status
    assert [packed] == [received.body for received in small.received]


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("name", CODED)
def test_counts_go_on_packed_as_well(small: Stage, name: str, payer: Payer) -> None:
    """b23: The same where tokens are counted."""
    small.play(json_answer({"input_tokens": 7}))
    packed, field = _pack(name, prompt(stream=False))

    assert 200 == small.ask(payer, packed, field, target="/v1/messages/count_tokens").head.status
    assert [packed] == [received.body for received in small.received]
    (row,) = small.exchanges(1)
    assert ("count_tokens", MODEL) == (row.endpoint, row.request_model)


@pytest.mark.parametrize("name", CODED)
def test_where_an_alias_changes_it(small: Stage, name: str) -> None:
    """b23: A body that must change for an alias goes on unpacked, and no coding is named for it."""
    packed, field = _pack(name, ODD)

    assert 200 == small.ask("gateway", packed, field).head.status
    (received,) = small.received
    assert ODD.replace(b'"model" : "swift"', b'"model" : "claude-haiku-4-5"') == received.body
    assert (None, str(len(received.body))) == (received.header("content-encoding"), received.header("content-length"))


def _refusal(whole: Whole) -> tuple[int, str | None]:
    return whole.head.status, whole.head.header("x-clearway-error")


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("name", CODED)
def test_a_bomb_is_refused(small: Stage, name: str, payer: Payer) -> None:
    """b23: A small body that becomes one over the limit is refused; nobody hears of it, and the next is served."""
    packed, field = _pack(name, prompt("x" * 50 * MAX_BODY))

    assert len(packed) < MAX_BODY
    assert (413, "too_large") == _refusal(small.ask(payer, packed, field))
    assert [] == small.received
    honest, field = _pack(name, prompt())
    assert 200 == small.ask(payer, honest, field).head.status


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("name", CODED)
def test_the_limit_is_that_of_plain_bodies(small: Stage, name: str, more: int) -> None:
    """b23: Unpacked it may be as large as a plain body, and not a byte more."""
    plain = prompt("x" * (MAX_BODY + more - len(prompt(""))))
    packed, field = _pack(name, plain)

    whole = small.ask("gateway", packed, field)

    assert MAX_BODY + more == len(plain)
    assert (413 if more else 200, "too_large" if more else None) == _refusal(whole)


BROKEN = [
    pytest.param("gzip", gzip.compress(prompt())[:-9], id="cut"),
    pytest.param("zstd", gzip.compress(prompt()), id="another-coding"),
    pytest.param("br", b"not packed at all", id="none"),
    pytest.param("compress", prompt(), id="unknown"),
]


@pytest.mark.parametrize(("coding", "body"), BROKEN)
def test_what_is_not_in_its_coding(small: Stage, coding: str, body: bytes) -> None:
    """b23: It is a 400 where the gateway pays; who pays for itself is told by the provider, which gets it as it is."""
    field = ("content-encoding", coding)

    assert (400, "invalid_request") == _refusal(small.ask("gateway", body, field))
    assert [] == small.received
    assert 200 == small.ask("client", body, field).head.status
    assert [body] == [received.body for received in small.received]
