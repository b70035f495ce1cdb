"""A gateway with both kinds of upstream side by side, and who received what.

Model names beginning with `two-` lead to two upstreams of the gateway's own; in a
world with `dead` upstreams, nobody listens for those beginning with `dead-`, for
logins with `no-login-`, and for keys alone with `no-api-`.
"""

import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fake_upstream import Answer, FakeUpstream, Received, json_answer
from tests.gateway_process import GatewayProcess
from tests.security.talk import Answered, ask

CREDENTIAL = "sk-ant-api03-of-the-gateway-0123456789"
SPARE_CREDENTIAL = "sk-ant-api03-of-the-spare-9876543210"
MESSAGE = {
    "id": "msg_0123456",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
MODELS = {"data": [{"type": "model", "id": name} for name in ("claude-sonnet-4-5", "claude-haiku-4-5")]}


def default(received: Received) -> Answer:
    """What an upstream says where a test has not said anything else."""
    return json_answer(MODELS if received.target.startswith("/v1/models") else MESSAGE)


class Stage:
    """An upstream whose answer can be changed while it listens."""

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._seen = 0
        self.upstream = FakeUpstream(lambda received: self._answer or default(received))

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.upstream.url

    def says(self, answer: Answer) -> None:
        """Answer so from now on, until the next test."""
        self._answer = answer

    def renew(self) -> None:
        """Forget the answer and what has come."""
        self._answer = None
        self._seen = len(self.upstream.received)

    @property
    def received(self) -> list[Received]:
        """What came since the test began."""
        return self.upstream.received[self._seen :]

    @property
    def bytes(self) -> bytes:
        """All of it, as it came."""
        return b"".join(received.head + received.body for received in self.received)


class World:
    """The gateway, the host of the clients' logins, and the gateway's own two."""

    def __init__(self, home: Path, *, server: str = "", log: str = "info", dead: bool = False) -> None:
        self._stack = ExitStack()
        self.login_host, self.api_host, self.spare_host = Stage(), Stage(), Stage()
        self.stages = (self.login_host, self.api_host, self.spare_host)
        # Bound and not listening: connections are refused, and nobody else gets the port.
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))
        self.gateway = GatewayProcess(
            home,
            self._config(server, log, dead=dead),
            environment={"UPSTREAM_CREDENTIAL": CREDENTIAL, "SPARE_CREDENTIAL": SPARE_CREDENTIAL},
        )

    def _config(self, server: str, log: str, *, dead: bool) -> str:
        nowhere = f"http://127.0.0.1:{self._nobody.getsockname()[1]}"
        # The gateway's own come first: a caller with a login must be kept from them.
        upstreams = [_anthropic("api", self.api_host.url, "UPSTREAM_CREDENTIAL", "claude-*", "two-*", "no-login-*")]
        upstreams += [_anthropic("spare", self.spare_host.url, "SPARE_CREDENTIAL", "two-*")]
        upstreams += [_passthrough("own-login", self.login_host.url, "claude-*", "two-*", "fast", "no-api-*")]
        if dead:
            upstreams += [_passthrough("dead-login", nowhere, "dead-*", "no-login-*")]
            upstreams += [_anthropic("dead-api", nowhere, "UPSTREAM_CREDENTIAL", "dead-*", "no-api-*")]
        # Upstreams fail on purpose, again and again: none is ever left alone.
        # Wrong keys come on purpose, too: their number has tests of its own.
        counted = "" if "wrong_keys" in server else "wrong_keys_per_minute = 0\n"
        top = f'[server]\n{counted}{server}\n[retries]\nlongest_cool_down_s = 0\n[log]\nlevel = "{log}"\n'
        top += '[models.aliases]\nfast = "claude-haiku-4-5"\n'
        return top + "".join(upstreams)

    def ask(
        self,
        *fields: tuple[str, str],
        target: str = "/v1/messages",
        method: str = "POST",
        body: bytes | dict[str, object] | None = None,
    ) -> Answered:
        """One honest request and its answer."""
        if body is None:
            return ask(self.gateway.url, *fields, target=target, method=method)
        return ask(self.gateway.url, *fields, target=target, method=method, body=body)

    @property
    def untouched(self) -> bool:
        """No upstream has received anything since the test began."""
        return not any(stage.received for stage in self.stages)

    def renew(self) -> None:
        """Ready for the next test."""
        for stage in self.stages:
            stage.renew()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._nobody)
        for stage in self.stages:
            self._stack.enter_context(stage.upstream)
        self._stack.enter_context(self.gateway)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)


def _passthrough(name: str, url: str, *models: str) -> str:
    return (
        f'[[upstreams]]\nname = "{name}"\nkind = "passthrough"\nbase_url = "{url}"\n'
        f'allow_hosts = ["127.0.0.1"]\nmodels = {list(models)}\n'
    )


def _anthropic(name: str, url: str, variable: str, *models: str) -> str:
    return (
        f'[[upstreams]]\nname = "{name}"\nkind = "anthropic"\nbase_url = "{url}"\n'
        f'api_key = {{ env = "{variable}" }}\nmodels = {list(models)}\n'
    )
