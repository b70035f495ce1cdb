"""The client's own question for its quota, on its way back: read beside the relay.

Only `GET /api/oauth/usage` that a client sends itself with its own credential; the
gateway never asks. The answer is kept as it comes, within bounds, and read when it is
whole, whatever its content coding; it reaches the client in any case.
Used by gateway/send.
"""

import structlog

from clearway.core.errors import GatewayError
from clearway.core.fields import Fields
from clearway.gateway.admit import Walk
from clearway.gateway.route import Target
from clearway.gateway.windows import ACCOUNT, SAFE, credential_of
from clearway.observe.protocol import WindowWatch
from clearway.upstreams.protocol import Reply
from clearway.wire.encoding import decode_body
from clearway.wire.messages.quota import BODY_LIMIT, PATH, read_quota
from clearway.wire.messages.watch import NoWatch

log = structlog.get_logger()

_OK = 200


class QuotaWatch(NoWatch):
    """Keeps a short answer until its end, and tells what it says of windows.

    Growth: `BODY_LIMIT`; a longer answer is not read.
    """

    def __init__(self, watch: WindowWatch, walk: Walk, target: Target, headers: Fields) -> None:
        self._watch = watch
        self._walk = walk
        self._target = target
        self._account = headers.first(ACCOUNT)
        self._coding = (headers.first(b"content-encoding") or b"").decode("latin-1")
        self._body = bytearray()
        self._is_over = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes, as they came."""
        if len(self._body) <= BODY_LIMIT:
            self._body += chunk

    def close(self) -> None:
        """No more bytes will come: half an answer is none, and says nothing."""
        if self._is_over:
            return
        self._is_over = True
        credential = credential_of(self._walk.call.headers)
        if len(self._body) > BODY_LIMIT or credential is None:
            return
        try:
            readings = read_quota(bytes(decode_body(self._body, self._coding, BODY_LIMIT)))
            self._watch.heard(self._target.upstream.name, credential, self._account, readings)
        except GatewayError:
            log.info("quota_not_read", exchange_id=self._walk.exchange.id)
        except SAFE:
            log.exception("windows_not_read", exchange_id=self._walk.exchange.id)


def quota_watch(watch: WindowWatch | None, walk: Walk, target: Target, reply: Reply) -> QuotaWatch | None:
    """What reads this answer, where it is one to a client's own question."""
    if watch is None or walk.call.path != PATH or walk.call.method != "GET":
        return None
    is_told = reply.status == _OK and target.upstream.pays == "client"
    return QuotaWatch(watch, walk, target, Fields.of(reply.headers)) if is_told else None
