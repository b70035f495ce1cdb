"""Every recorded exchange goes through unchanged, and the ledger has its usage.

Three ways, each with a gateway in a process of its own: answered by a `replay`
upstream; with the client's own credential through `passthrough`; with the gateway's
through `anthropic`. The last two stand in front of an upstream that tells what it got
and is asked the same without a gateway first: that is what unchanged means.
Not compared but for their bytes: recordings with the note
`several_messages_in_one_stream` (4), because no single request got such a stream.
Not counted: probes (`HEAD`, 2), which the gateway answers for itself; and, where the
gateway pays, batches (8), which must end here, and refusals of its own credential (5),
which the client must not get as its own.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from tests.gateway_process import GatewayProcess, anthropic, passthrough
from tests.recordings.asking import API_KEY, LOGIN, Answered, Asked, Fields, ask_all, ask_for
from tests.recordings.checks import EXCHANGE, Passed, check_fold, check_row, settle
from tests.recordings.conftest import Collection
from tests.recordings.far import Came, Far
from tests.recordings.recorded import SEVERAL, Recorded
from tests.relay.stage import NO_COOL_DOWN

pytestmark = pytest.mark.timeout(60)

Start = Callable[..., GatewayProcess]
Record = Callable[[str, object], None]

_OWN_CREDENTIAL = "sk-ant-dummy-credential-of-the-gateway"
_REFUSALS = {401, 402, 403}
_ACCOUNT = ("anthropic-organization-id", "anthropic-workspace-id", "set-cookie", "server", "cf-ray")
_ACCOUNT_PREFIXES = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")


def _replay(folder: object) -> str:
    return f'[[upstreams]]\nname = "recorded"\nkind = "replay"\nrecordings = "{folder}"\n'


def _without_account(fields: Fields) -> Fields:
    return [(name, value) for name, value in fields if name not in _ACCOUNT and not name.startswith(_ACCOUNT_PREFIXES)]


def _replayed_fields(one: Recorded) -> dict[str, str]:
    """The fields that a replayed answer has: those that a client may act upon."""
    kinds = ("content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry")
    kept = {
        name: value
        for name, value in one.headers.items()
        if (name in kinds or name.startswith("anthropic-")) and "REDACTED" not in value
    }
    kind = "application/json" if one.sse is None else "text/event-stream; charset=utf-8"
    return dict(_without_account([("content-type", kind), *kept.items()]))


def _split(asked: Sequence[Asked]) -> tuple[list[Asked], list[Asked], list[Asked]]:
    """Model calls and counts; paths that only clients who pay may ask for; probes."""
    served = [one for one in asked if one.recorded.is_model_call or one.recorded.is_count]
    probes = [one for one in asked if one.recorded.is_probe]
    return served, [one for one in asked if one not in served and one not in probes], probes


def _check_local(url: str, denied: Sequence[Asked], probes: Sequence[Asked]) -> int:
    """The gateway answers these for itself; returns how many of them are in its ledger."""
    for one, answer in zip(denied, ask_all(url, denied), strict=True):
        assert (404, "not_found") == (answer.status, answer.header("x-clearway-error")), one.target
    for one, answer in zip(probes, ask_all(url, probes), strict=True):
        assert (200, b"", None) == (answer.status, answer.body, answer.header(EXCHANGE)), one.target
    return len(denied)


def _check_came(came: Sequence[Came], asked: Sequence[Asked], credential: tuple[str, str] | None) -> None:
    """Each request reached the upstream once, byte for byte."""
    assert Counter(one.recorded.id for one in asked) == Counter(one.id for one in came)
    by_id = {one.id: one for one in came}
    for one in asked:
        expected = Came(one.recorded.id, one.method, one.target, one.forwarded(credential=credential), one.body_sha256)

        assert expected == by_id[one.recorded.id]


def _ask_both(far: Far, url: str, asked: Sequence[Asked]) -> tuple[list[Answered], list[Answered], list[Came]]:
    """Ask the upstream itself, then the gateway; the answers of both, and what the gateway sent."""
    direct = ask_all(far.url, asked)
    before = len(far.came())
    answered = ask_all(url, asked)
    return direct, answered, far.came()[before:]


def _check_metered(passed: Sequence[Passed]) -> None:
    """All model calls were compared in the ledger, and every good answer was folded by the SDK."""
    calls = [one for one in passed if one.recorded.is_model_call]
    left_out = [one for one in calls if not one.is_metered]
    assert all(SEVERAL in one.recorded.notes for one in left_out)
    assert len(left_out) <= 4, "so many recordings have the note; any more hide something"
    for one in calls:
        if one.is_metered and one.recorded.status == 200:
            check_fold(one)


def test_replayed(collection: Collection, start_gateway: Start, record_property: Record) -> None:
    """A key gets each recorded answer from a `replay` upstream: its bytes, its fields without the account's."""
    gateway = start_gateway(_replay(collection.folder))
    credential = ("authorization", f"Bearer {gateway.new_key('team')}")
    everything = [ask_for(one, place, credential) for place, one in enumerate(collection.recorded)]
    asked, denied, probes = _split(everything)
    answered = ask_all(gateway.url, asked)
    kept = _check_local(gateway.url, denied, probes)
    for one, answer in zip(asked, answered, strict=True):
        recorded = one.recorded

        assert recorded.status == answer.status, recorded.id
        assert recorded.answer(spaced=False) == answer.body, recorded.id
        assert _replayed_fields(recorded) == dict(answer.fields(EXCHANGE)), recorded.id
    passed = settle(gateway, asked, answered, others=kept)
    for each in passed:
        check_row(each, kind="replay", billing="simulated")
    _check_metered(passed)
    collection.has_passed(len(passed), record_property)


def test_passed_through(collection: Collection, start_gateway: Start, record_property: Record) -> None:
    """With the client's own credential everything passes, in both directions, byte for byte; beside a key, too."""
    far = collection.start()
    gateway = start_gateway(passthrough(far.url))
    key = ("x-clearway-key", gateway.new_key("beside"))
    logins = (("x-api-key", API_KEY), ("authorization", f"Bearer {LOGIN}"))
    everything = [
        ask_for(one, place, logins[place % 2], *([key] if place % 5 == 0 else []))
        for place, one in enumerate(collection.recorded)
    ]
    served, relayed, probes = _split(everything)
    asked = served + relayed
    direct, answered, came = _ask_both(far, gateway.url, asked)
    for one, without, answer in zip(asked, direct, answered, strict=True):
        assert without.status == answer.status == one.recorded.status, one.recorded.id
        assert without.body == answer.body == one.recorded.answer(spaced=True), one.recorded.id
        assert without.fields() == answer.fields(EXCHANGE), one.recorded.id
    _check_came(came, asked, None)
    _check_local(gateway.url, [], probes)
    assert len(far.came()) == 2 * len(asked), "a probe has reached the upstream"
    passed = settle(gateway, asked, answered)
    for each in passed:
        billing = "plan" if ("authorization", f"Bearer {LOGIN}") in each.asked.headers else "billed"
        check_row(each, kind="passthrough", billing=billing)
        assert (key in each.asked.headers) == (each.row.key_id is not None)
    _check_metered(passed)
    collection.has_passed(len(passed), record_property)


def test_paid_by_gateway(collection: Collection, start_gateway: Start, record_property: Record) -> None:
    """With a key, all but the credential goes on as it came; back comes all but the account and its refusals."""
    far = collection.start()
    gateway = start_gateway(NO_COOL_DOWN + anthropic(far.url), environment={"UPSTREAM_CREDENTIAL": _OWN_CREDENTIAL})
    key = ("x-api-key", gateway.new_key("team"))
    everything = [ask_for(one, place, key) for place, one in enumerate(collection.recorded)]
    asked, denied, probes = _split(everything)
    direct, answered, came = _ask_both(far, gateway.url, asked)
    _check_came(came, asked, ("x-api-key", _OWN_CREDENTIAL))
    kept = _check_local(gateway.url, denied, probes)
    assert len(far.came()) == 2 * len(asked), "what is refused here has reached the upstream"
    for one, without, answer in zip(asked, direct, answered, strict=True):
        if without.status in _REFUSALS:
            assert (502, "upstream_credential") == (answer.status, answer.header("x-clearway-error")), one.recorded.id
            continue
        assert without.status == answer.status == one.recorded.status, one.recorded.id
        assert without.body == answer.body, one.recorded.id
        assert _without_account(without.fields()) == answer.fields(EXCHANGE), one.recorded.id
    passed = settle(gateway, asked, answered, others=kept)
    for each in passed:
        if each.recorded.status in _REFUSALS:
            refused = ("upstream_error", 502, "upstream_credential", None)
            assert refused == (each.row.outcome, each.row.status, each.row.error_code, each.row.output_tokens)
        else:
            check_row(each, kind="anthropic", billing="billed")
    _check_metered(passed)
    unchanged = sum(each.recorded.status not in _REFUSALS for each in passed)
    collection.has_passed(unchanged, record_property)
