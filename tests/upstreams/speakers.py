"""The implementations of `Upstream` that speak HTTP, for the suite with the hostile upstream.

To put one more under it, write a function that makes it from a base URL and limits,
and add a line to `SPEAKERS`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field

from clearway.config import model as config
from clearway.config.model import Timeouts
from clearway.core.secret import Secret
from clearway.upstreams.anthropic import AnthropicUpstream
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.passthrough import PassthroughUpstream
from clearway.upstreams.protocol import Upstream
from tests.upstreams.library import LibraryUpstream

Make = Callable[[str, Timeouts], AbstractAsyncContextManager[Upstream]]


@dataclass(frozen=True)
class Speaker:
    """One implementation."""

    name: str
    make: Make
    """From a base URL on 127.0.0.1 and limits to a working upstream."""
    adds: tuple[bytes, ...] = ()
    """Header lines of its own, which end the head."""
    breaks: Mapping[str, str] = field(default_factory=dict)
    """Promises that it is known to break, by `test` or `test[case]`, with what happens instead. A promise that is
    kept after all fails the suite, so that the list stays true.
    """


def anthropic(url: str, timeouts: Timeouts) -> AbstractAsyncContextManager[Upstream]:
    """At the gateway's expense."""
    settings = config.Upstream(name="it", kind="anthropic", base_url=url)
    return aclosing(AnthropicUpstream(settings, Secret("sk-dummy"), HttpClient(Address.parse(url), timeouts)))


def passthrough(url: str, timeouts: Timeouts) -> AbstractAsyncContextManager[Upstream]:
    """At the client's."""
    settings = config.Upstream(name="it", kind="passthrough", base_url=url, allow_hosts=("127.0.0.1",))
    return aclosing(PassthroughUpstream(settings, HttpClient(Address.parse(url), timeouts)))


def library(url: str, timeouts: Timeouts) -> AbstractAsyncContextManager[Upstream]:
    """A library's client instead of ours."""
    return aclosing(LibraryUpstream(url, timeouts))


_DESYNC = "what comes after an answer is given to the next request, whoever asks it"
_LENIENT = "its parser takes what two readers can understand differently"
_DEAF = "while it sends a body it does not listen"
LIBRARY_BREAKS = {
    "test_leftover_bytes_never_answer_the_next_request": _DESYNC,
    "test_what_is_no_answer_is_an_error[length-and-chunks]": _LENIENT,
    "test_what_is_no_answer_is_an_error[folded]": _LENIENT,
    "test_what_is_no_answer_is_an_error[bare-lines]": _LENIENT,
    "test_what_is_no_answer_is_an_error[2.0]": _LENIENT,
    "test_what_is_no_answer_is_an_error[chunk-huge]": _LENIENT,
    "test_an_early_answer_to_a_large_body_is_heard": _DEAF,
}

SPEAKERS = (
    Speaker("anthropic", anthropic, adds=(b"x-api-key: sk-dummy",)),
    Speaker("passthrough", passthrough),
    Speaker("library", library, breaks=LIBRARY_BREAKS),
)
