"""What may be kept of a request's and an answer's text: short labels of known form.

Headers and bodies can hold anything, secrets in the wrong place included. Only a
value that fits a narrow pattern, and does not look like a credential, is kept.
"""

import re
from functools import lru_cache

import msgspec

from clearway.core.fields import Headers
from clearway.core.usage import Usage

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{5,79}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# W3C Trace Context, section 3.2.2: version, trace id, parent id, flags.
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,63}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]+-]{0,127}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_GEO = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# `name/1.2` as the standard has it, and `Anthropic/Python 1.2` as the official SDKs write it.
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._-]{1,39}(?:/[A-Za-z]{1,20})?)[/ ]v?([0-9][0-9A-Za-z.+-]{0,31})")
_CREDENTIAL = re.compile(r"(?:sk|cw|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[a-z]|akia|asia|aiza|ey[a-z0-9])[-_a-z0-9]")
# Only what cannot be an ordinary word: paths and words are full of `token`.
_KEY = re.compile(
    r"(?i)^(?:sk|cw|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[a-z])[-_]|^(?:akia|asia|aiza|eyj)[-_a-z0-9]{8}"
    r"|cw-[a-z0-9]{49}"
)


def _is_credential(value: str) -> bool:
    lower = value.lower()
    return "secret" in lower or "token" in lower or "passw" in lower or _CREDENTIAL.match(lower) is not None


def _fit(pattern: re.Pattern[str], value: str | None) -> str | None:
    if value is None or not pattern.fullmatch(value) or _is_credential(value):
        return None
    return value


_LONGEST = 256
"""Nothing longer is ever a label; and what is remembered stays small."""
# The same few names come with every request.
_remembered = lru_cache(maxsize=512)


def model(value: str | None) -> str | None:
    """A model's name, or None where it is none."""
    return None if value is None or len(value) > _LONGEST else _model(value)


@_remembered
def _model(value: str) -> str | None:
    return _fit(_MODEL, value)


def identifier(value: str | None) -> str | None:
    """A request, message or response id."""
    return _fit(_ID, value)


def word(value: str | None) -> str | None:
    """A lower-case word of a known vocabulary: `overloaded_error`, `end_turn`."""
    return None if value is None or len(value) > _LONGEST else _word(value)


@_remembered
def _word(value: str) -> str | None:
    return value if _WORD.fullmatch(value) and not _KEY.search(value) else None


def path(value: str) -> str:
    """A path whose segments may be shown; one that looks like a credential may not."""
    return _path(value) if len(value) <= _LONGEST else _shown(value)


def _shown(value: str) -> str:
    return "/".join("***" if _KEY.search(segment) else segment for segment in value.split("/"))


_path = _remembered(_shown)


def counted(usage: Usage | None) -> Usage | None:
    """Usage with those of its words that may be kept; the counts stay."""
    if usage is None:
        return None
    tier, speed, geo = word(usage.service_tier), word(usage.speed), _geo(usage.inference_geo)
    if not usage.iterations and (tier, speed, geo) == (usage.service_tier, usage.speed, usage.inference_geo):
        return usage  # nearly always
    return msgspec.structs.replace(
        usage,
        service_tier=tier,
        speed=speed,
        inference_geo=geo,
        iterations=tuple(
            msgspec.structs.replace(run, kind=word(run.kind) or "message", model=model(run.model))
            for run in usage.iterations
        ),
    )


@_remembered
def _geo(value: str | None) -> str | None:
    # At most `_LONGEST_WORD` characters (wire/messages/usage).
    return _fit(_GEO, value)


class Labels:
    """The labels of one request's headers.

    Source of the names: Claude Code 2.1.329 as measured (`x-claude-code-*`), the
    official SDKs (`user-agent`, `x-client-request-id`), W3C Trace Context (`traceparent`),
    Codex CLI 0.169.0 as measured (`session-id`, `thread-id`, `x-codex-parent-thread-id`).
    """

    __slots__ = (
        "agent_id",
        "client_name",
        "client_request_id",
        "client_version",
        "parent_agent_id",
        "session_id",
        "trace_parent",
    )

    def __init__(self, headers: Headers) -> None:
        self.session_id: str | None = None
        self.agent_id: str | None = None
        self.parent_agent_id: str | None = None
        self.client_name: str | None = None
        self.client_version: str | None = None
        self.client_request_id: str | None = None
        self.trace_parent: str | None = None
        for name, value in headers:
            if name == b"user-agent":
                self.client_name, self.client_version = _client(value[:_LONGEST].decode("latin-1"))
            elif name == b"x-client-request-id":
                self.client_request_id = _fit(_UUID, value.decode("latin-1"))
            elif name == b"traceparent":
                self.trace_parent = _fit(_TRACE, value.decode("latin-1"))
            elif name.startswith(b"x-claude-code-"):
                self._claude_code(name, value.decode("latin-1"))
            elif name == b"session-id":
                self._codex({name: value.decode("latin-1") for name, value in headers})

    def _claude_code(self, name: bytes, value: str) -> None:
        match name:
            case b"x-claude-code-session-id":
                self.session_id = _fit(_UUID, value)
            case b"x-claude-code-agent-id":
                self.agent_id = _fit(_AGENT, value)
            case b"x-claude-code-parent-agent-id":
                self.parent_agent_id = _fit(_AGENT, value)
            case _:
                pass

    def _codex(self, fields: dict[bytes, str]) -> None:
        """A sub-agent's thread has its parent's beside it; that of the session itself is no agent."""
        parent = _fit(_UUID, fields.get(b"x-codex-parent-thread-id"))
        self.session_id = self.session_id or _fit(_UUID, fields.get(b"session-id"))
        if parent is not None:
            self.agent_id = self.agent_id or _fit(_UUID, fields.get(b"thread-id"))
            self.parent_agent_id = self.parent_agent_id or (None if parent == self.session_id else parent)


@_remembered
def _client(agent: str) -> tuple[str | None, str | None]:
    """Name and version of a `user-agent`: its first product."""
    found = _PRODUCT.match(agent)
    if found is None or _is_credential(found[1]) or _is_credential(found[2]):
        return None, None
    return found[1], found[2]
