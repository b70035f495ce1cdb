"""`/admin/accounts`: what each upstream has done, and for how long it is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from clearway.core.clock import SystemClock
from clearway.ledger.administration import LastHeard
from clearway.observe.protocol import Status
from clearway.server.admin import accounts
from clearway.server.admin.parts import Asked, Budgets, Parts, Place
from tests.admin.door import HELLO, new_key, settled, with_key
from tests.fake_upstream import Answer, FakeUpstream, Received, Script, json_answer
from tests.gateway_process import GatewayProcess, anthropic

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
SPARE = '[[upstreams]]\nname = "spare"\nkind = "sim"\nmodels = ["spare-*"]\n'
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


def test_the_life_of_an_upstream(fake_upstream: Callable[[Script], FakeUpstream], tmp_path: Path) -> None:
    """Unused, well, failing and left alone, well again; the request's own faults are no failures."""
    status = [200]

    def script(received: Received) -> Answer:  # noqa: ARG001  # one answer for all
        return json_answer(MESSAGE if status[0] == 200 else ERROR, status=status[0])

    upstream = fake_upstream(script)
    retries = "[retries]\nmax = 0\n"
    with GatewayProcess(
        tmp_path, retries + anthropic(upstream.url), environment={"UPSTREAM_CREDENTIAL": "sk-ant-api03-dummy"}
    ) as gateway:
        door = with_key(gateway, new_key(gateway, "boss", owner=True))

        def after(answer: int) -> dict[str, object]:
            status[0] = answer
            door.ask("POST", "/v1/messages", HELLO)
            account: dict[str, object] = door.ask("GET", "/admin/accounts").json["upstreams"][0]
            return account

        unused = door.get("upstreams")["upstreams"][0]
        well, wrong, failed = after(200), after(400), after(529)
        rows = settled(door, 3)

    assert ("api", "anthropic", upstream.url, "unused") == tuple(
        unused[name] for name in ("name", "kind", "base_url", "state")
    )
    assert ["well", "well"] == [well["state"], wrong["state"]]
    assert (1, 1, 0) == tuple(wrong[name] for name in ("answered", "refused", "failed"))
    assert failed["state"] in ("limited", "cooling")
    assert (1, 1, 1) == tuple(failed[name] for name in ("answered", "refused", "failed"))
    assert {"at_us": failed["last_failure"]["at_us"], "why": "overloaded_error", "status": 529} == failed[  # type: ignore[index]  # JSON
        "last_failure"
    ]
    mark = failed["cooling"][0]  # type: ignore[index]  # JSON
    assert ("overloaded", "claude-sonnet-4-5", False) == (mark["why"], mark["model"], mark["told"])
    assert 0 < mark["left_s"] <= 5
    assert wrong["last_success_us"] == failed["last_success_us"]
    assert len(rows) == 3
    assert "dummy" not in str((unused, well, wrong, failed))


@pytest.mark.parametrize("path", ["/admin/accounts", "/admin/api/upstreams"])
def test_an_upstream_that_is_not_there(tmp_path: Path, path: str) -> None:
    """No connection is a failure of the whole upstream."""
    config = "[retries]\nmax = 0\n" + anthropic("http://127.0.0.1:9")
    with GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": "sk-ant-api03-dummy"}) as gateway:
        door = with_key(gateway, new_key(gateway, "boss", owner=True))
        door.ask("POST", "/v1/messages", HELLO)
        account = door.ask("GET", path).json["upstreams"][0]

    assert ("cooling", 1, 0) == (account["state"], account["failed"], account["answered"])
    assert ("upstream_unreachable", None) == (account["last_failure"]["why"], account["last_failure"]["status"])
    assert "unreachable" == account["cooling"][0]["why"]
    assert account["cooling"][0]["model"] is None


class Window(msgspec.Struct, frozen=True):
    """As whoever observes windows may tell them."""

    upstream: str
    used: float


def test_over_a_restart(fake_upstream: Callable[[Script], FakeUpstream], tmp_path: Path) -> None:
    """The last success and failure are known after a restart, and with them the state; counters begin anew."""
    status = [200]
    upstream = fake_upstream(
        lambda _: json_answer(MESSAGE if status[0] == 200 else ERROR, status=status[0]),
    )
    config = "[retries]\nmax = 0\nlongest_cool_down_s = 0\n" + anthropic(upstream.url) + SPARE
    with GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": "sk-ant-api03-dummy"}) as gateway:
        door = with_key(gateway, owner := new_key(gateway, "boss", owner=True))
        for status[0] in (529, 200, 529):
            door.ask("POST", "/v1/messages", HELLO)
        settled(door, 3)
        before = door.get("upstreams")
        gateway.stop()
        gateway.start()
        door = with_key(gateway, owner)
        after = door.get("upstreams")
        status[0] = 200
        door.ask("POST", "/v1/messages", HELLO)
        then = door.get("upstreams")

    lasting = ("last_success_us", "last_failure", "state")
    assert ["failing", "unused"] == [one["state"] for one in before["upstreams"]]
    assert [[one[name] for name in lasting] for one in before["upstreams"]] == [
        [one[name] for name in lasting] for one in after["upstreams"]
    ]
    assert [(1, 2), (0, 0), (1, 0)] == [
        (told["upstreams"][0]["answered"], told["upstreams"][0]["failed"]) for told in (before, after, then)
    ]
    assert before["counted_since_us"] < after["counted_since_us"] == then["counted_since_us"]
    assert before["upstreams"][0]["last_failure"] == then["upstreams"][0]["last_failure"]
    assert "well" == then["upstreams"][0]["state"]


class Nothing:
    """A ledger that knows of no attempt."""

    def last_heard(self) -> dict[str, LastHeard]:
        """None."""
        return {}


def test_windows_where_they_were_observed() -> None:
    """All in one list, and each with its upstream; of any form that can be encoded."""
    clock, nothing = SystemClock(), cast("Any", None)
    parts = Parts(
        ledger=nothing,
        desk=cast("Any", Nothing()),
        ring=nothing,
        clock=clock,
        feed=nothing,
        status=lambda: Status(pid=1, url="", version="", instance_id="", started_us=0),
        budgets=lambda: Budgets(()),
        upstreams=lambda: tuple(
            Place(name=name, kind="passthrough", base_url=None, models=("*",)) for name in ("a", "b")
        ),
        wrong=nothing,
        counts=dict,
        is_serving=lambda: True,
        timezone="UTC",
        port=1,
        is_secure=False,
        windows=lambda: [Window("b", 0.25), Window("elsewhere", 0.5)],
    )
    told = msgspec.json.decode(msgspec.json.encode(accounts.upstreams(parts, Asked())))["upstreams"]

    assert [[], [{"upstream": "b", "used": 0.25}]] == [one["windows"] for one in told]
    assert 2 == len(accounts.windows(parts, Asked()).windows)
