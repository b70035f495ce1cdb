"""Where the walk tells what answers say of windows.

A look at the names of an answer's fields, which are remembered; only where they name a
window the credential is looked for. No request is ever made for it, and nothing here
fails an exchange.
Used by gateway/send and gateway/quota.
"""

import structlog

from clearway.core.fields import Fields, Headers
from clearway.gateway.admit import Walk
from clearway.gateway.headers import CREDENTIALS, is_ours
from clearway.gateway.route import Target
from clearway.observe.protocol import WindowWatch
from clearway.wire.messages.windows import plan_of

log = structlog.get_logger()

ACCOUNT = b"anthropic-organization-id"
"""The field in which an upstream names the account."""
SAFE = (ValueError, TypeError, LookupError, ArithmeticError)
"""What a look at hostile values might raise, and must not."""
_LOGIN = b"sk-ant-oat"


def look(watch: WindowWatch, walk: Walk, target: Target, headers: Headers) -> None:
    """Tell what an answer's head says of windows; mostly that is nothing."""
    fields = Fields.of(headers)
    if not plan_of(fields.names).parts or target.upstream.pays == "nobody":
        return
    try:
        credential = credential_of(walk.call.headers) if target.upstream.pays == "client" else None
        if credential is not None or target.upstream.pays == "gateway":
            watch.saw(target.upstream.name, credential, fields)
    except SAFE:
        log.exception("windows_not_read", exchange_id=walk.exchange.id)


def credential_of(headers: Headers) -> bytes | None:
    """The client's own credential, bare; a login before anything else."""
    found = [
        value.strip().rsplit(b" ", 1)[-1]
        for name, value in headers
        if name in CREDENTIALS and value.strip() and not is_ours(value)
    ]
    return next((value for value in found if value.startswith(_LOGIN)), found[0] if found else None)
