"""Everything that can go wrong, as one tree.

GatewayError                     status  code
  ClientError
    BadRequest                      400  invalid_request
    NotAuthenticated                401  invalid_key
    NotAllowed                      403  not_allowed
    NotFound                        404  not_found
    UpgradeRefused                  426  upgrade_refused
    TooSlow                         408  too_slow
    TooLarge                        413  too_large
    HeadTooLarge                    431  head_too_large
    WrongHost                       421  wrong_host
    LimitExceeded                   429  limit_exceeded
      BudgetExceeded                429  budget_exceeded
  Unavailable
    Overloaded                      529  overloaded
    NoUpstream                      503  no_upstream
    LedgerUnavailable               503  ledger_unavailable
    LimitsUnavailable               503  limits_unavailable
  UpstreamError
    UpstreamUnreachable             502  upstream_unreachable
    UpstreamProtocolError           502  upstream_protocol
    UpstreamRefusedUs               502  upstream_credential
    UpstreamTimeout                 504  upstream_timeout
    UpstreamLimited                 429  upstream_limited
    UpstreamBusy                    529  upstream_busy

`code` is a promise to clients: never renamed. `str(error)` is safe to show: it
never holds a secret, a header's value or a body.
"""

from typing import ClassVar

from clearway.core.fields import Headers


class GatewayError(Exception):
    """Something went wrong here; the root of the errors that a client is told.

    Args:
        message: What is wrong; lower case, no full stop, names the field.
        hint: What to do next; may be empty.
        retry_after_s: Seconds after which trying again helps; None: it doesn't.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.retry_after_s = retry_after_s

    @property
    def sentence(self) -> str:
        """Message and hint as one text for a person."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class ClientError(GatewayError):
    """The request is at fault."""


class BadRequest(ClientError):
    """The request cannot be understood or asks for the impossible."""

    status = 400
    code = "invalid_request"


class NotAuthenticated(ClientError):
    """No credential, or one of ours that is wrong, expired or revoked."""

    status = 401
    code = "invalid_key"


class NotAllowed(ClientError):
    """The key is good, but not for this."""

    status = 403
    code = "not_allowed"


class UpgradeRefused(ClientError):
    """The same is to be had by a plain request."""

    status = 426
    code = "upgrade_refused"


class NotFound(ClientError):
    """No such path or model here."""

    status = 404
    code = "not_found"


class NoSuchModel(NotFound):
    """No such model here: told apart where a format has a word for it."""


class TooLarge(ClientError):
    """A body over its limit."""

    status = 413
    code = "too_large"


class HeadTooLarge(ClientError):
    """A request head over its limits."""

    status = 431
    code = "head_too_large"


class TooSlow(ClientError):
    """A head or body that did not arrive in its time."""

    status = 408
    code = "too_slow"


class WrongHost(ClientError):
    """`Host` names somebody else (DNS rebinding)."""

    status = 421
    code = "wrong_host"


class LimitExceeded(ClientError):
    """A limit of the key is reached; waiting helps.

    Args:
        message: As of every error.
        hint: Likewise.
        retry_after_s: Likewise.
        fields: Further fields of the answer.
    """

    status = 429
    code = "limit_exceeded"

    def __init__(self, message: str, *, hint: str = "", retry_after_s: int | None = None, fields: Headers = ()) -> None:
        super().__init__(message, hint=hint, retry_after_s=retry_after_s)
        self.fields = fields


class BudgetExceeded(LimitExceeded):
    """A budget is used up: a further try is in vain before it begins anew."""

    code = "budget_exceeded"


class Unavailable(GatewayError):
    """Nothing is wrong with the request; it cannot be served now."""


class Overloaded(Unavailable):
    """Too much at once for this process."""

    status = 529
    code = "overloaded"


class NoUpstream(Unavailable):
    """No configured upstream may serve this request."""

    status = 503
    code = "no_upstream"


class LedgerUnavailable(Unavailable):
    """What is served could not be kept, so it is not served."""

    status = 503
    code = "ledger_unavailable"


class LimitsUnavailable(Unavailable):
    """Whether a limit or budget allows it cannot be told, so it is not served."""

    status = 503
    code = "limits_unavailable"


class UpstreamError(GatewayError):
    """The upstream failed us."""


class UpstreamUnreachable(UpstreamError):
    """No connection; certainly nothing was billed."""

    status = 502
    code = "upstream_unreachable"


class UpstreamProtocolError(UpstreamError):
    """What came was not a valid answer, or it broke off."""

    status = 502
    code = "upstream_protocol"


class UpstreamRefusedUs(UpstreamError):
    """The upstream refused the gateway's own credential."""

    status = 502
    code = "upstream_credential"


class UpstreamTimeout(UpstreamError):
    """Nothing came within the time that was given."""

    status = 504
    code = "upstream_timeout"


class UpstreamLimited(UpstreamError):
    """The upstream has reached a limit and said until when; it was not asked again."""

    status = 429
    code = "upstream_limited"


class UpstreamBusy(UpstreamError):
    """The upstream is overloaded and said until when; it was not asked again."""

    status = 529
    code = "upstream_busy"
