"""The names of OpenTelemetry's conventions, in the older and the newest spelling.

Owns the words, no meaning. The GenAI conventions are not stable: programs that began
with version 1.36 keep it until they are asked for the newest, by `OTEL_SEMCONV_STABILITY_OPT_IN`.
Older: https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/README.md.
Newest: https://github.com/open-telemetry/semantic-conventions-genai, as far as released in
`opentelemetry-semantic-conventions` 0.66b2 (both read 2026-11-27).
HTTP and errors: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (stable, read 2026-11-27).
Used by observe/otel/attributes and observe/otel/sender.
"""

from typing import Literal

import msgspec

Spelling = Literal["1.36", "latest"]

OPERATION = "gen_ai.operation.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
CONVERSATION = "gen_ai.conversation.id"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  # a name
ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_PATH = "url.path"

CLIENT_TOKENS = "gen_ai.client.token.usage"
CLIENT_DURATION = "gen_ai.client.operation.duration"
SERVER_DURATION = "gen_ai.server.request.duration"
SERVER_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105  # a name

CHAT = "chat"
ANTHROPIC = "anthropic"
SIMULATED = "clearway.sim"
"""No well-known name fits: nobody is asked."""
OTHER_ERROR = "_OTHER"

# Ours: what the conventions have no word for.
EXCHANGE_ID = "clearway.exchange.id"
OUTCOME = "clearway.outcome"
ENDPOINT = "clearway.endpoint"
KEY_NAME = "clearway.key.name"
RUN_ID = "clearway.run.id"
UPSTREAM = "clearway.upstream.name"
UPSTREAM_KIND = "clearway.upstream.kind"
ATTEMPT = "clearway.attempt.number"
ATTEMPTS = "clearway.attempts"
COST = "clearway.cost.nanodollars"
ESTIMATE = "clearway.estimate.nanodollars"
BILLING = "clearway.billing"
FIRST_TOKEN = "clearway.time_to_first_token"  # noqa: S105  # a name; seconds

TOKEN_BOUNDS = [float(4**power) for power in range(14)]
"""Of buckets of tokens, as the conventions give them."""


class Names(msgspec.Struct, frozen=True):
    """What the spellings disagree on; None: the spelling has no such name."""

    provider: str
    is_stream: str | None = None
    first_chunk: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    reasoning: str | None = None
    client_first_chunk: str | None = None
    """A metric."""


SPELLINGS: dict[Spelling, Names] = {
    "1.36": Names(provider="gen_ai.system"),
    "latest": Names(
        provider="gen_ai.provider.name",
        is_stream="gen_ai.request.stream",
        first_chunk="gen_ai.response.time_to_first_chunk",
        cache_read="gen_ai.usage.cache_read.input_tokens",
        cache_write="gen_ai.usage.cache_creation.input_tokens",
        reasoning="gen_ai.usage.reasoning.output_tokens",
        client_first_chunk="gen_ai.client.operation.time_to_first_chunk",
    ),
}
