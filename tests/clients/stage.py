"""A gateway with a scripted model behind it, for the loops of real clients."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.clients.weather import TOLD, USED, Weather, thought
from tests.fake_upstream import FakeUpstream
from tests.gateway_process import GatewayProcess, anthropic

MODEL, OLDER = "claude-sonnet-5-5", "claude-sonnet-4-5"
"""The older one has a budget for its thoughts, and takes no turn of a loop back without them."""
CREDENTIAL = "sk-ant-dummy-of-the-gateway"
SETTINGS = f"""
[retries]
longest_cool_down_s = 0
max = 0

[models.aliases]
"anthropic/{MODEL}" = "{MODEL}"
"""
FORGETS = "[openai]\nthoughts = 0"
"""What a client drops does not come back."""
COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What one test gets: gateway and model are shared, the key is its own."""

    gateway: GatewayProcess
    upstream: FakeUpstream
    model: Weather
    key: str = ""
    key_name: str = ""

    @property
    def url(self) -> str:
        """What clients of OpenAI's formats take for their base URL."""
        return f"{self.gateway.url}/v1"

    @property
    def place(self) -> dict[str, str]:
        """Address and key."""
        return {"url": self.url, "key": self.key}

    def asked(self, **more: object) -> str:
        """What a client's script is told."""
        return json.dumps({**self.place, "model": MODEL, "older": OLDER, **more})

    def check_ledger(self, wire: str = "chat", left: int = 0) -> None:
        """Every answer of the model is in the ledger, with what it has used; so many were left by their client."""
        rows = self.gateway.settled(len(self.model.turns), "--key", self.key_name)
        asked = [row for row in rows if row["input_tokens"]]
        served = [row for row in asked if row["outcome"] == "ok"]

        assert (len(self.model.turns), left) == (len(asked), len(asked) - len(served))
        assert {(wire, 10, 700, 200, 50)} == {(row["wire"], *(row[name] for name in COUNTS)) for row in served}


def response(number: int = 0, **more: object) -> dict[str, object]:
    """What a program reads of a response that tells the weather, behind so many rounds."""
    whole = {"status": "completed", "text": TOLD, "items": ["reasoning", "message"], "usage": USED, "model": MODEL}
    return {**whole, "thought": thought(number)["thinking"], **more}


@contextmanager
def set_up(home: Path, more: str = "") -> Iterator[Stage]:
    """Gateway and model, without a key; with more settings."""
    model = Weather()
    with FakeUpstream(model.answer) as upstream:
        config = f"{SETTINGS}\n{more}\n{anthropic(upstream.url)}"
        with GatewayProcess(home, config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL}) as gateway:
            yield Stage(gateway=gateway, upstream=upstream, model=model)


def enter(shared: Stage, name: str) -> Stage:
    """The same for the next test, which has a key of that name."""
    shared.model.forget()
    return msgspec.structs.replace(shared, key=shared.gateway.new_key(name), key_name=name)
