"""`GET /v1/files` and `GET /v1/messages/batches`: a key's own, newest first.

The upstream's list is the whole workspace's, so the page comes from the table of
owners, and each object is asked for at the upstream that holds it. Bounded: 100
objects in a page, eight questions at a time; the clients' paging goes on from there.
Both shapes of paging are told: `has_more`, `first_id`, `last_id`, and `next_page`.
Source: `SyncPage`, `SyncPageCursor`, `FileListParams` and `BatchListParams` of the
`anthropic` SDK 2.11 (read 2026-11-27).
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from clearway.core.errors import BadRequest, GatewayError, UpstreamProtocolError
from clearway.gateway.admit import Walk
from clearway.gateway.headers import first
from clearway.gateway.objects.ask import Question, asked, read_whole, tell
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Ownership, PageQuery
from clearway.upstreams.protocol import Upstream
from clearway.wire.messages.objects import PATHS, Kind, is_id

_DEFAULT, _MOST_ASKED, _MOST = 20, 1000, 100
_MOST_IDS = 100
_AT_ONCE = 8
_OK, _NOT_FOUND = 200, 404
_ROUNDS = 3
"""Objects that are gone at the upstream leave a gap, which is filled so often."""
_PAGE = "page_"
_DAY_US = 86_400 * 1_000_000
_FORGET_US: dict[Kind, int] = {"file": _DAY_US, "batch": 30 * _DAY_US}
"""A batch is held for until its results can be had no more."""


class Wanted(msgspec.Struct, frozen=True):
    """What a list is asked for."""

    limit: int
    after_id: str | None = None
    before_id: str | None = None
    place: tuple[str, str] | None = None
    """Of `page`."""
    ids: frozenset[str] | None = None


def wanted_of(kind: Kind, query: str) -> Wanted:
    """What the query of a list asks for.

    Raises:
        BadRequest: It cannot be met; names the parameter.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if "scope_id" in given:
        raise BadRequest("scope_id is not served here", hint="a key's own files are listed without it")
    ids = frozenset(value for name, value in pairs if name in ("ids", "ids[]"))
    if kind == "file" and ids:
        if len(ids) > _MOST_IDS or "page" in given or "limit" in given:
            raise BadRequest("ids: at most 100, without page and limit")
        return Wanted(_MOST, ids=ids)
    page = given.get("page") if kind == "file" else None
    after_id, before_id = given.get("after_id"), given.get("before_id")
    if sum(bool(cursor) for cursor in (page, after_id, before_id)) > 1:
        raise BadRequest("after_id, before_id and page exclude each other")
    return Wanted(_limit(given.get("limit")), after_id or None, before_id or None, _place_of(page) if page else None)


def _limit(value: str | None) -> int:
    if value is None:
        return _DEFAULT
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= _MOST_ASKED):
        raise BadRequest(f"limit is a number from 1 to {_MOST_ASKED}")
    return min(int(value), _MOST)


def _place_of(page: str) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode(page.removeprefix(_PAGE) + "==").decode("ascii")
        exchange_id, _, object_id = text.partition(":")
    except (binascii.Error, ValueError):
        exchange_id = object_id = ""
    if not exchange_id or not object_id or "\0" in exchange_id + object_id:
        raise BadRequest("page is no cursor of this list", hint="take next_page of the page before")
    return exchange_id, object_id


def _page_of(owned: Owned) -> str:
    text = base64.urlsafe_b64encode(f"{owned.exchange_id}:{owned.id}".encode()).decode()
    return _PAGE + text.rstrip("=")


class Lister:
    """Answers for lists.

    Args:
        owners: The table of owners.
        shown: What a client is shown of an object's bytes.
    """

    def __init__(self, owners: Ownership, shown: Callable[[Walk, Owned, bytes], bytes]) -> None:
        self._owners = owners
        self._shown = shown

    async def serve(self, walk: Walk, key: Key, kind: Kind, upstreams: Mapping[str, Upstream]) -> None:
        """Answer.

        Raises:
            BadRequest: A parameter cannot be met.
            UpstreamError: An upstream could not be asked.
        """
        wanted = wanted_of(kind, walk.call.target.partition(b"?")[2].decode("latin-1"))
        if wanted.ids is not None:
            ids = frozenset(value for value in wanted.ids if is_id(kind, value))
            found = await asyncio.to_thread(self._owners.find_all, kind, ids, key.id) if ids else []
            found = [owned for owned in found if owned.upstream in upstreams]
            await self._tell(walk, kind, await self._look_up(walk, found, upstreams), has_more=False)
            return
        query = PageQuery(
            kind=kind,
            key_id=key.id,
            upstreams=tuple(upstreams),
            limit=wanted.limit + 1,
            after=wanted.place or await self._place(kind, wanted.after_id, key, "after_id"),
            before=await self._place(kind, wanted.before_id, key, "before_id"),
        )
        shown, has_more = await self._filled(walk, query, upstreams)
        await self._tell(walk, kind, shown, has_more=has_more)

    async def _place(self, kind: Kind, object_id: str | None, key: Key, name: str) -> tuple[str, str] | None:
        if object_id is None:
            return None
        owned = await asyncio.to_thread(self._owners.find, kind, object_id, key.id) if is_id(kind, object_id) else None
        if owned is None:
            raise BadRequest(f"{name} names no {kind} here", hint="take first_id or last_id of a page")
        return owned.exchange_id, owned.id

    async def _filled(
        self, walk: Walk, query: PageQuery, upstreams: Mapping[str, Upstream]
    ) -> tuple[list[tuple[Owned, bytes]], bool]:
        """A page, and whether there is more in the direction that was asked for."""
        page: list[tuple[Owned, bytes]] = []
        limit = query.limit - 1
        is_backwards = query.before is not None
        for _ in range(_ROUNDS):
            rows = await asyncio.to_thread(self._owners.page, query)
            # The one too many only tells that there is more; backwards it is the first.
            has_more = len(rows) == query.limit
            rows = rows[-(query.limit - 1) :] if is_backwards else rows[: query.limit - 1]
            found = await self._look_up(walk, rows, upstreams)
            page = found + page if is_backwards else page + found
            if len(page) >= limit or not has_more:
                break
            edge = rows[0] if is_backwards else rows[-1]
            place = (edge.exchange_id, edge.id)
            changed = {"before" if is_backwards else "after": place, "limit": limit - len(page) + 1}
            query = msgspec.structs.replace(query, **changed)
        else:
            has_more = True
        return page, has_more

    async def _look_up(
        self, walk: Walk, rows: Sequence[Owned], upstreams: Mapping[str, Upstream]
    ) -> list[tuple[Owned, bytes]]:
        """Each with its bytes, without those that their upstream has no more."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(owned: Owned) -> bytes | GatewayError | None:
            async with gate:
                try:
                    return await self._one(walk, owned, upstreams[owned.upstream])
                except GatewayError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(owned)) for owned in rows]
        found: list[tuple[Owned, bytes]] = []
        for owned, task in zip(rows, tasks, strict=True):
            body = task.result()
            if isinstance(body, GatewayError):
                raise body
            if body is not None:
                found.append((owned, self._shown(walk, owned, body)))
        return found

    async def _one(self, walk: Walk, owned: Owned, upstream: Upstream) -> bytes | None:
        question = Question("GET", f"{PATHS[owned.kind]}/{owned.id}".encode() + _beta(walk))
        async with asked(walk, upstream, question) as (attempt, reply):
            body = await read_whole(attempt, reply)
            attempt.end("ok")
            if reply.status == _NOT_FOUND:
                await self._gone(walk, owned)
                return None
            if reply.status != _OK:
                raise UpstreamProtocolError(f"the upstream {upstream.name} answered {reply.status} for {owned.id}")
        try:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UpstreamProtocolError(f"the upstream {upstream.name} sent no object for {owned.id}") from None
        return body

    async def _gone(self, walk: Walk, owned: Owned) -> None:
        """Forget what its upstream has no more; not what was made just now, or was looked for elsewhere."""
        age_us = walk.exchange.books.clock.now_us() - owned.created_us
        if age_us > _FORGET_US[owned.kind] and first(walk.call.headers, b"anthropic-workspace-id") is None:
            await asyncio.to_thread(self._owners.forget, owned)

    @staticmethod
    async def _tell(walk: Walk, kind: Kind, page: Sequence[tuple[Owned, bytes]], *, has_more: bool) -> None:
        answer: dict[str, object] = {
            "data": [msgspec.Raw(body) for _, body in page],
            "has_more": has_more,
            "first_id": page[0][0].id if page else None,
            "last_id": page[-1][0].id if page else None,
        }
        if kind == "file":
            answer["next_page"] = _page_of(page[-1][0]) if has_more and page else None
        await tell(walk, _OK, [(b"content-type", b"application/json")], msgspec.json.encode(answer))


def _beta(walk: Walk) -> bytes:
    """`?beta=true` where the client asked so: the shape of files depends on it."""
    query = dict(parse_qsl(walk.call.target.partition(b"?")[2].decode("latin-1")))
    return b"?beta=true" if query.get("beta") == "true" else b""
