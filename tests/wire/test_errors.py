"""The whole error tree in the shape of Messages."""

import anthropic
import httpx2
import msgspec
import pytest

from clearway.core import errors
from clearway.core.errors import GatewayError
from clearway.wire.messages.errors import TYPES, render

LEAVES = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, GatewayError)
        and kind is not GatewayError
        and "code" in vars(kind)
    ),
    key=lambda kind: kind.__name__,
)
BY_KIND: dict[type[GatewayError], str] = {errors.BudgetExceeded: "billing_error"}
TREE = {
    line.split()[0]: (int(line.split()[1]), line.split()[2])
    for line in (errors.__doc__ or "").splitlines()
    if len(line.split()) == 3 and line.split()[1].isdecimal()
}


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_each(kind: type[GatewayError]) -> None:
    """Status and type as the API has them; marked as ours; the docstring's table is true."""
    status, headers, body = render(kind("it went wrong", hint="do this"), "req-1")
    told = msgspec.json.decode(body)
    fields = dict(headers)

    assert TREE[kind.__name__] == (kind.status, kind.code)
    assert status == kind.status
    assert told == {
        "type": "error",
        "error": {"type": BY_KIND.get(kind, TYPES[status]), "message": "Clearway: it went wrong; do this"},
        "request_id": "req-1",
    }
    assert fields[b"x-clearway-error"] == kind.code.encode()
    assert fields[b"request-id"] == b"req-1"
    assert int(fields[b"content-length"]) == len(body)


def test_codes_are_unique() -> None:
    """A code names one thing."""
    assert len({kind.code for kind in LEAVES}) == len(LEAVES) == len(TREE)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_retrying_is_said_clearly(kind: type[GatewayError]) -> None:
    """Either it helps after so many seconds, or it does not, or the client knows best."""
    fields = dict(render(kind("x"), "r")[1])
    waits = dict(render(kind("x", retry_after_s=7), "r")[1])

    assert waits[b"retry-after"] == b"7"
    # A spent budget begins anew in hours: a retry within seconds is in vain.
    assert (b"false" if kind is errors.BudgetExceeded else None) == waits.get(b"x-should-retry")
    if issubclass(kind, errors.UpstreamError) and kind is not errors.UpstreamRefusedUs:
        assert b"x-should-retry" not in fields
    else:
        assert fields[b"x-should-retry"] == b"false"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.BadRequest, anthropic.BadRequestError),
        (errors.NotAuthenticated, anthropic.AuthenticationError),
        (errors.NotAllowed, anthropic.PermissionDeniedError),
        (errors.NotFound, anthropic.NotFoundError),
        (errors.LimitExceeded, anthropic.RateLimitError),
        (errors.UpstreamLimited, anthropic.RateLimitError),
    ],
)
def test_the_sdk_raises_the_right_class(kind: type[GatewayError], expected: type[Exception]) -> None:
    """As for the API's own errors."""
    status, headers, body = render(kind("x"), "r")
    answer = httpx2.Response(status, headers=headers, content=body)
    client = anthropic.Anthropic(
        api_key="dummy",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(lambda _: answer)),
    )

    with pytest.raises(expected):
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
