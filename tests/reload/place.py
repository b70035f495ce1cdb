"""A gateway whose configuration is rewritten while it runs, and two upstreams that it may lead to.

Used by the tests of this folder.
"""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from clearway.cli.remote import reload
from clearway.config.changes import Reloaded
from clearway.ledger.lock import read_owner
from tests.clients.answers import say
from tests.fake_upstream import Answer, FakeUpstream, Received
from tests.gateway_process import GatewayProcess
from tests.relay.stage import Books, wait_until
from tests.relay.wire_client import MODEL, Client, Whole, prompt

RELOADED, REFUSED = '"configuration_reloaded"', '"configuration_refused"'


class Host:
    """An upstream that says its own name, or what a test tells it to say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.script: Callable[[Received], Answer] = lambda received: say(name, received)
        self.upstream = FakeUpstream(self._play)

    def _play(self, received: Received) -> Answer:
        return self.script(received)


def upstream(name: str, url: str, variable: str = "FIRST_CREDENTIAL", **more: str) -> str:
    """An upstream that the gateway pays."""
    lines = [f'name = "{name}"', 'kind = "anthropic"', f'base_url = "{url}"']
    lines += [f"{setting} = {value}" for setting, value in more.items()]
    if "api_key" not in more:
        lines.append(f'api_key = {{ env = "{variable}" }}')
    return "\n".join(["[[upstreams]]", *lines, ""])


class Place:
    """The gateway and its two hosts while the context is open; it begins with `api` at the first.

    Args:
        home: An empty directory.
        settings: The beginning of the first configuration.
        arguments: Of `serve`.
    """

    def __init__(self, home: Path, settings: str = "", *, arguments: tuple[str, ...] = ()) -> None:
        self._stack = ExitStack()
        self.first, self.second = Host("first"), Host("second")
        self.file = home / "clearway.toml"
        self.gateway = GatewayProcess(
            home,
            settings + upstream("api", self.first.upstream.url),
            environment={"FIRST_CREDENTIAL": "dummy-first", "SECOND_CREDENTIAL": "dummy-second"},
            arguments=arguments,
        )
        self.key = ""

    @property
    def socket(self) -> str:
        """Where the gateway is asked by the commands."""
        owner = read_owner(self.gateway.data_dir)
        assert owner is not None
        assert owner.socket is not None
        return owner.socket

    @property
    def books(self) -> Books:
        """What it says of itself."""
        return Books(self.gateway.data_dir)

    def write(self, text: str) -> None:
        """Another configuration, not yet in force."""
        self.file.write_text(text)

    def reload(self, text: str | None = None) -> Reloaded:
        """Put another configuration in force, or be told why not."""
        if text is not None:
            self.write(text)
        return reload(self.socket)

    def hang_up(self, text: str | None = None, word: str = RELOADED) -> None:
        """Likewise by SIGHUP: return when the log has one more `word`."""
        before = self.gateway.log.count(word)
        if text is not None:
            self.write(text)
        os.kill(self.gateway.pid, signal.SIGHUP)
        wait_until(lambda: self.gateway.log.count(word) > before, word)

    def client(self) -> Client:
        """A connection."""
        return Client(self.gateway.url)

    def ask(self, model: str = MODEL, *fields: tuple[str, str]) -> Whole:
        """One request with the key, and its answer."""
        with self.client() as client:
            client.ask(prompt(stream=False, model=model), [("x-api-key", self.key), *fields])
            return client.read_whole()

    def who_answers(self, model: str = MODEL) -> str:
        """Which host answers a request."""
        whole = self.ask(model)
        said = [host.name for host in (self.first, self.second) if b'"%s"' % host.name.encode() in whole.body]

        assert 1 == len(said), whole
        return said[0]

    def __enter__(self) -> Self:
        for host in (self.first, self.second):
            self._stack.enter_context(host.upstream)
        self._stack.enter_context(self.gateway)
        self.key = self.gateway.new_key("place")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
