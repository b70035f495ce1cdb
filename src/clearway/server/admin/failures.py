"""What the admin API refuses, in one shape: that of Messages, with a code and a hint.

Owns the codes, which are a promise, and how the ledger's and the walk's errors are
told here. Used by everything in server/admin.
"""

import msgspec
import structlog

from clearway.core.errors import GatewayError
from clearway.ledger.administration import TookTooLong
from clearway.ledger.protocol import LedgerError, NotInLedger, Unusable

log = structlog.get_logger()


class Code(msgspec.Struct, frozen=True):
    """One way to be refused."""

    status: int
    type: str
    """As Anthropic's API names the kind."""
    meaning: str


CODES: dict[str, Code] = {
    "invalid_request": Code(400, "invalid_request_error", "The body is no JSON, or the query cannot be read."),
    "invalid_key": Code(401, "authentication_error", "No owner key and no session, or one that is wrong or over."),
    "wrong_sign_in": Code(401, "authentication_error", "The link or password is not the right one (any more)."),
    "not_allowed": Code(403, "permission_error", "The key is good, but not an owner's; or only a session may."),
    "cross_site": Code(403, "permission_error", "With a session: not from our own page, or without its CSRF token."),
    "not_found": Code(404, "not_found_error", "There is nothing of that path or id."),
    "method_not_allowed": Code(
        405, "invalid_request_error", "The path has no such method; `allow` names those it has."
    ),
    "too_slow": Code(408, "invalid_request_error", "The body did not arrive in its time."),
    "conflict": Code(409, "invalid_request_error", "It contradicts what is kept: a taken name, a revoked key."),
    "too_large": Code(413, "request_too_large", "The body is over the route's limit."),
    "unsupported_media_type": Code(415, "invalid_request_error", "The body is not declared as plain JSON."),
    "invalid_value": Code(422, "invalid_request_error", "A field or parameter is unknown, or its value is no such."),
    "took_too_long": Code(422, "invalid_request_error", "The ledger was not done in 2 s: ask for less."),
    "slow_down": Code(
        429,
        "rate_limit_error",
        "Too many wrong sign-ins or keys, or too many who watch; see `retry-after`.",
    ),
    "internal": Code(500, "api_error", "Something went wrong here; the log has it."),
    "not_installed": Code(501, "api_error", "It needs an extra that is not installed here; the hint says which."),
    "ledger_unavailable": Code(503, "api_error", "The ledger cannot be read or written now."),
    "overloaded": Code(503, "api_error", "Too many questions at once; see `retry-after`."),
}
"""By code. A code is never renamed."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was refused."""

    type: str
    """The kind, as Anthropic's API names it."""
    code: str
    """Also in `x-clearway-error`; see the table of codes."""
    message: str
    """For a person; names the field."""
    hint: str = ""
    """What to do next."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer of 400 and more."""

    type: str = "error"
    error: Problem


class Refused(Exception):
    """The request is refused.

    Args:
        code: One of `CODES`.
        message: What is wrong; lower case, no full stop; never a secret.
        hint: What to do next.
        headers: Further fields of the answer.
    """

    def __init__(
        self, code: str, message: str, *, hint: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.headers = headers

    @property
    def status(self) -> int:
        """Of the answer."""
        return CODES[self.code].status

    def body(self) -> bytes:
        """Of the answer."""
        problem = Problem(type=CODES[self.code].type, code=self.code, message=str(self), hint=self.hint)
        return msgspec.json.encode(Refusal(error=problem))


def wait(code: str, message: str, seconds: int) -> Refused:
    """A refusal of what may be tried again later."""
    return Refused(code, message, hint=f"try again in {seconds} s", headers=((b"retry-after", b"%d" % seconds),))


def of_gateway(error: GatewayError) -> Refused:
    """An error of authentication, as it is told here."""
    return Refused(error.code if error.code in CODES else "internal", str(error), hint=error.hint)


def of_ledger(error: LedgerError) -> Refused:
    """The ledger's refusal."""
    if isinstance(error, TookTooLong):
        return Refused("took_too_long", str(error))
    if isinstance(error, NotInLedger):
        return Refused("not_found", str(error))
    if isinstance(error, Unusable):
        # The driver's words may name hosts and files, and strangers come this far.
        log.warning("ledger_unavailable", error=str(error))
        return wait("ledger_unavailable", "the ledger cannot be used now", 5)
    return Refused("conflict", str(error))
