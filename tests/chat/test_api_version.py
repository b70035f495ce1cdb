"""The version of the API is each upstream's own, and decides what may be said in it."""

from typing import Any

import pytest

from tests.chat.conftest import CREDENTIAL, connected
from tests.chat.telling import end, start, text
from tests.fake_upstream import FakeUpstream, stream_answer
from tests.gateway_process import GatewayProcess, anthropic

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("version", "sent", "warned"),
    [("2023-06-01", 0.5, None), ("2026-10-21", None, "ignored:temperature")],
    ids=["older", "newer"],
)
def test_version(
    tmp_path_factory: pytest.TempPathFactory, version: str, sent: float | None, warned: str | None
) -> None:
    """C29: sampling goes along while the upstream's version takes it, and is told as ignored afterwards."""
    says = stream_answer([start(), text(0, "Hi"), end()])
    with FakeUpstream(lambda _: says) as upstream:
        config = f'{anthropic(upstream.url)}\napi_version = "{version}"\n'
        home, environment = tmp_path_factory.mktemp("version"), {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        with (
            GatewayProcess(home, config, environment=environment) as gateway,
            connected(gateway.url, gateway.new_key("a")) as client,
        ):
            raw = client.chat.completions.with_raw_response.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], temperature=0.5
            )
        received: Any = upstream.received[-1]

    assert (version, sent) == (received.header("anthropic-version"), received.json().get("temperature"))
    told = raw.headers.get("x-clearway-warnings")
    assert told is None if warned is None else str(told).startswith(warned)
