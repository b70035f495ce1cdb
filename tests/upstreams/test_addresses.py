"""IPv6, hosts with several addresses, and names that do not resolve, or not always to the same.

The resolver is the event loop's; a stand-in takes its place for one name.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

import pytest
import trustme

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamUnreachable
from clearway.upstreams.http import Address
from tests.upstreams.hostile import Peer, answering, connected, fetch, get, hostile, plain, post, until
from tests.upstreams.tls import echo, serving

NAME = "api.example"
Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str | int, ...]]
Says = Callable[[], Sequence[Found]]


def v4(url_or_port: str | int) -> Found:
    """127.0.0.1, as a resolver tells it."""
    port = url_or_port if isinstance(url_or_port, int) else Address.parse(url_or_port).port
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)


def v6(url_or_port: str | int) -> Found:
    """::1, as a resolver tells it."""
    port = url_or_port if isinstance(url_or_port, int) else Address.parse(url_or_port).port
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", port, 0, 0)


def dead(family: socket.AddressFamily = socket.AF_INET) -> int:
    """A port where nothing listens."""
    with socket.socket(family) as taken:
        taken.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        port: int = taken.getsockname()[1]
        return port


def resolve_to(says: Says) -> list[str]:
    """Let the running loop's resolver answer `NAME` by `says`; returns the list of names asked for."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **options: int) -> Sequence[Found]:
        asked.append(host)
        if host != NAME:
            return await real(host, port, **options)  # type: ignore[return-value]  # typeshed knows more shapes
        await asyncio.sleep(0)
        return says()

    loop.getaddrinfo = getaddrinfo  # type: ignore[assignment,method-assign]  # the seam
    return asked


async def test_an_ipv6_literal() -> None:
    """With brackets in the URL and in `host`, without them at the socket."""
    async with hostile(answering(plain(b"ok")), host="::1") as journal, connected(journal.url) as client:
        assert journal.url.startswith("http://[::1]:")
        assert (200, b"ok") == await fetch(client, get())
        assert b"\r\nhost: " + journal.url.removeprefix("http://").encode() + b"\r\n" in journal.requests[0]


async def test_an_ipv6_literal_with_tls(authority: trustme.CA, ca_file: str) -> None:
    """The certificate must be for the address."""
    for named, is_trusted in (("::1", True), ("::2", False)):
        async with (
            serving(authority.issue_cert(named), echo, host="::1") as port,
            connected(f"https://[::1]:{port}", ca=ca_file) as client,
        ):
            if is_trusted:
                assert (200, b"body") == await fetch(client, post(b"body"))
            else:
                with pytest.raises(UpstreamUnreachable, match=rf"certificate of \[::1\]:{port} is not trusted"):
                    await fetch(client, post(b"body"))


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(lambda live: [v6(dead(socket.AF_INET6)), v4(live)], id="ipv6-is-dead"),
        pytest.param(lambda live: [v4(dead()), v4(dead()), v4(live)], id="two-are-dead"),
        pytest.param(
            lambda live: [v6(dead(socket.AF_INET6)), v6(dead(socket.AF_INET6)), v4(live)], id="family-is-dead"
        ),
        pytest.param(lambda live: [v4(live), v4(live), v4(live)], id="told-thrice"),
    ],
)
async def test_any_address_that_lives_will_do(order: Callable[[str], list[Found]]) -> None:
    """The request is sent once, over one connection, and the name stays in `host`."""
    async with hostile(answering(plain(b"ok"))) as journal:
        resolve_to(lambda: order(journal.url))
        async with connected(f"http://{NAME}") as client:
            assert (200, b"ok") == await fetch(client, post())
            assert journal.connections == 1
            assert b"\r\nhost: api.example\r\n" in journal.requests[0]


async def test_the_preferred_address_is_used_while_it_answers() -> None:
    """The resolver's order counts, IPv6 first or not; nobody else is bothered."""
    async with (
        hostile(answering(plain(b"six")), host="::1") as six,
        hostile(answering(plain(b"four"))) as four,
    ):
        for order, expected in (([v6(six.url), v4(four.url)], b"six"), ([v4(four.url), v6(six.url)], b"four")):
            resolve_to(lambda order=order: order)  # type: ignore[misc]  # bound at once
            async with connected(f"http://{NAME}") as client:
                assert (200, expected) == await fetch(client, get())

        assert (1, 1) == (six.connections, four.connections)


async def test_a_silent_address_costs_a_moment() -> None:
    """A route that swallows everything does not use up `connect_s`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the queue of connections is full; Linux then drops what comes
            filler.setblocking(False)  # noqa: FBT003 - by position only
            filler.connect_ex(listener.getsockname())
        async with hostile(answering(plain(b"ok"))) as journal:
            resolve_to(lambda: [v4(listener.getsockname()[1]), v4(journal.url)])
            async with connected(f"http://{NAME}", timeouts=Timeouts(connect_s=3)) as client:
                assert (200, b"ok") == await fetch(client, get())
        for filler in fillers:
            filler.close()


async def test_where_all_are_dead_the_name_is_told() -> None:
    """And not one of its addresses; nothing was sent, so another upstream may be asked."""
    ports = [dead(socket.AF_INET6), dead()]
    resolve_to(lambda: [v6(ports[0]), v4(ports[1])])
    async with connected(f"http://{NAME}:81") as client:
        with pytest.raises(UpstreamUnreachable) as caught:
            await fetch(client, post())

    assert "no connection to api.example:81: connection refused" == str(caught.value)


async def test_a_resolver_that_fails_and_comes_back() -> None:
    """The next request asks again; connections that are open do without it."""
    is_up = False

    def says() -> Sequence[Found]:
        if not is_up:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [v4(journal.url)]

    async with hostile(answering(*[plain(b"ok")] * 2)) as journal, connected(f"http://{NAME}") as client:
        asked = resolve_to(says)
        with pytest.raises(UpstreamUnreachable, match=r"host of api\.example cannot be found: temporary failure"):
            await fetch(client, post())
        is_up = True

        assert (200, b"ok") == await fetch(client, post())
        is_up = False

        assert (200, b"ok") == await fetch(client, post())
        assert [NAME, NAME] == [name for name in asked if name == NAME]
        assert len(journal.requests) == 2


async def test_an_address_that_moves_is_followed() -> None:
    """Each new connection asks anew; nothing is remembered."""
    async with (
        hostile(answering(plain(b"old", b"connection: close"))) as old,
        hostile(answering(plain(b"new"))) as new,
        connected(f"http://{NAME}") as client,
    ):
        now = [v4(old.url)]
        resolve_to(lambda: now)

        assert (200, b"old") == await fetch(client, get())
        now = [v4(new.url)]

        assert (200, b"new") == await fetch(client, get())
        assert (1, 1) == (old.connections, new.connections)


async def test_a_resolver_that_says_nothing() -> None:
    """It is part of connecting, and so is its time."""
    is_asked, never = asyncio.Event(), asyncio.Event()

    async def getaddrinfo(*_: object, **__: object) -> Sequence[Found]:
        is_asked.set()
        await never.wait()
        return []

    asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[assignment,method-assign]  # the seam
    async with connected(f"http://{NAME}", timeouts=Timeouts(connect_s=0.1)) as client:
        with pytest.raises(UpstreamUnreachable, match=r"no connection to api\.example within connect_s = 0\.1 s"):
            await fetch(client, get())

        assert is_asked.is_set()


async def test_connect_s_holds_after_a_race() -> None:
    """However the socket was found, a handshake that never ends is unreachable in time, and no cancellation."""

    async def silent_in_the_handshake(peer: Peer) -> None:
        await peer.left()

    async with hostile(silent_in_the_handshake) as journal:
        for others in ([], [v6(dead(socket.AF_INET6))], [v4(journal.url)]):
            resolve_to(lambda others=others: [*others, v4(journal.url)])  # type: ignore[misc]  # bound at once
            async with connected(f"https://{NAME}", timeouts=Timeouts(connect_s=0.2)) as client:
                with pytest.raises(UpstreamUnreachable, match=r"within connect_s = 0\.2 s"):
                    await fetch(client, get())
                task = asyncio.current_task()

                assert task is not None
                assert 0 == task.cancelling()


async def test_a_client_that_leaves_during_the_race_leaves_no_connection() -> None:
    """Those that would have won a moment later are closed, and nothing is sent for it."""
    open_now: set[object] = set()

    async def script(peer: Peer) -> None:
        open_now.add(peer)
        try:
            while await peer.request():
                pass
        finally:
            open_now.discard(peer)

    async with hostile(script) as journal:
        dead_six = v6(dead(socket.AF_INET6))
        resolve_to(lambda: [v4(journal.url), dead_six, v4(journal.url)])
        async with connected(f"http://{NAME}") as client, asyncio.TaskGroup() as group:
            for turns in range(25):
                task = group.create_task(fetch(client, post(b"left")))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})

                assert task.cancelled()
            stays = group.create_task(fetch(client, post(b"stays")))
            # Connections are accepted in their order: no other comes after this one.
            await until(lambda: any(sent.endswith(b"stays") for sent in journal.requests))
            await until(lambda: len(open_now) == 1)
            stays.cancel()
