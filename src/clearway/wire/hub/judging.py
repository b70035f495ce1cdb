"""Fields of a request that Messages has no place for: told, refused, or harmless. Pure.

Owns the rules that the spokes share; which field has which is each spoke's own table. The
default value of a field is harmless always.
Used by the translators of every spoke.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from clearway.wire.hub.notes import Notes, Refusal

Rule = Callable[[object, str, Notes], None]
"""Takes the value, the name, and where it is told."""

NEVER_OBEYED = frozenset({
    "api_base", "api_key", "base_url", "extra_headers", "extra_body", "headers", "default_headers", "organization",
    "custom_llm_provider", "azure_ad_token", "vertex_credentials", "aws_access_key_id", "aws_secret_access_key",
})  # fmt: skip
"""What elsewhere would say whom to ask and by what credential: never the client's to say here."""


def refused(value: object, name: str, notes: Notes) -> None:
    """It is not there: a client that says it relies on it.

    Raises:
        Refusal: Always.
    """
    del value, notes
    raise Refusal(name, f"{name} is not supported with Claude", "unsupported_parameter", hint="leave it out")


def told(value: object, name: str, notes: Notes) -> None:
    """It is left out, and told."""
    del value
    notes.add("ignored", name)


def silent(value: object, name: str, notes: Notes) -> None:
    """Nothing is lost without it."""
    del value, name, notes


def stored(value: object, name: str, notes: Notes) -> None:
    """Keeping the answer, where nothing is kept."""
    if value:
        notes.add("ignored", name)


def unless_empty(value: object, name: str, notes: Notes) -> None:
    """Refused where it says anything.

    Raises:
        Refusal: It does.
    """
    if value not in (False, 0, {}, []):
        refused(value, name, notes)


def verbosity(value: object, name: str, notes: Notes) -> None:
    """How much is said: there is no such switch.

    Raises:
        Refusal: It is none of the words.
    """
    if value not in ("low", "medium", "high"):
        raise Refusal(name, f"{name}: expected low, medium or high")
    if value != "medium":
        notes.add("ignored", name)


def retention(value: object, name: str, notes: Notes) -> None:
    """How long a cache is to last."""
    if value not in ("in_memory", "in-memory"):
        notes.add("ignored", name)


def judge(fields: Mapping[str, object], mapped: AbstractSet[str], rules: Mapping[str, Rule], notes: Notes) -> None:
    """Everything that is not mapped.

    Args:
        fields: Of the request.
        mapped: Names that are read elsewhere.
        rules: By name, for values other than null; what has none is told.
        notes: Where it is told.

    Raises:
        Refusal: A field that cannot be served.
    """
    for name, value in fields.items():
        if name in mapped or value is None:
            continue
        if name in NEVER_OBEYED:
            hint = "the owner of the gateway configures its upstreams"
            raise Refusal(name, f"{name} is never taken from a request", "unsupported_parameter", hint=hint)
        rules.get(name, told)(value, name[:64], notes)
