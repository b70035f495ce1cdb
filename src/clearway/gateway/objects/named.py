"""The files that a request names must be the caller's own, and are where they are.

Used for Messages requests and for each batch; a body that names none costs a look
for a few bytes.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from clearway.core.errors import BadRequest, LedgerUnavailable, NotFound
from clearway.gateway.route import Target
from clearway.keys.model import Key
from clearway.ledger.ownership import Ownership
from clearway.ledger.protocol import LedgerError
from clearway.wire.messages.file_ids import named_ids, used_ids
from clearway.wire.messages.objects import is_id

LARGE = 256 * 1024
"""From this size on a body is read in a thread: the loop has other work."""


async def holder_of_named(owners: Ownership, key: Key, body: bytes | bytearray) -> str | None:
    """The upstream that holds the files that a body names; None where it names none.

    Raises:
        NotFound: One is not this key's; whose it is makes no difference.
        BadRequest: They are held by several upstreams, or cannot be told.
        LedgerUnavailable: It cannot be found out.
    """
    try:
        if len(body) > LARGE:
            return await asyncio.to_thread(_holder, owners, key, body)
        # Most bodies that have the word in them only talk about it.
        return await asyncio.to_thread(_holder, owners, key, body) if named_ids(body) else None
    except ValueError:
        raise BadRequest("file_id: the files that the body names cannot be told", hint="write names plainly") from None
    except LedgerError as error:
        raise LedgerUnavailable("whose files these are cannot be found out", retry_after_s=5) from error


def _holder(owners: Ownership, key: Key, body: bytes | bytearray) -> str | None:
    ids = named_ids(body)
    own = _own(owners, key, ids)
    if len(own) < len(ids):
        # Perhaps it is only an argument of the client's own tool.
        with contextlib.suppress(ValueError):
            ids = used_ids(body)
        own = _own(owners, key, ids)
    for named in sorted(ids):
        if named not in own:
            shown = named if is_id("file", named) else "of this form"
            hint = "a key can use the files that it has uploaded itself: GET /v1/files lists them"
            raise NotFound(f"file_id: there is no file {shown} here", hint=hint)
    holders = {own[named] for named in ids}
    if len(holders) > 1:
        raise BadRequest("file_id: the files are held by different upstreams", hint="upload them all to one")
    return next(iter(holders), None)


def _own(owners: Ownership, key: Key, ids: frozenset[str]) -> dict[str, str]:
    wellformed = frozenset(named for named in ids if is_id("file", named))
    return {owned.id: owned.upstream for owned in owners.find_all("file", wellformed, key.id)} if wellformed else {}


def held_by(targets: Sequence[Target], holder: str | None) -> Sequence[Target]:
    """Those of `targets` that may be asked: the upstream that holds the files alone.

    Raises:
        NotFound: It is not among them.
    """
    if holder is None:
        return targets
    left = [target for target in targets if target.upstream.name == holder]
    if not left:
        hint = "files can be used where they were uploaded only"
        raise NotFound(f"the upstream {holder} holds these files, and does not serve this request", hint=hint)
    return left
