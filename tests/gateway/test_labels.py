"""Only short labels of known form are kept of what others send."""

import pytest

from clearway.gateway import labels
from clearway.gateway.labels import Labels, identifier, model, word

UUID = "0192f0c1-8f1a-4b52-9a55-0d6f3a7be001"


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        ("claude-cli/2.1.329 (external, sdk-cli)", "claude-cli", "2.1.329"),
        ("Anthropic/Python 2.12.0", "Anthropic/Python", "2.12.0"),
        ("AsyncAnthropic/Python 2.12.0", "AsyncAnthropic/Python", "2.12.0"),
        ("Anthropic/JS 1.12.0", "Anthropic/JS", "1.12.0"),
        ("python-httpx/0.28.1", "python-httpx", "0.28.1"),
        ("curl/8.5.0", "curl", "8.5.0"),
        ("sk-ant-api03-canary/1.0", None, None),
        ("my-secret-thing/1", None, None),
        ("Mozilla", None, None),
        ("", None, None),
        ("x" * 500 + "/1", None, None),
    ],
)
def test_client_programs(agent: str, name: str | None, version: str | None) -> None:
    """Name and version of the first product, or nothing."""
    seen = Labels([(b"user-agent", agent.encode())])

    assert (seen.client_name, seen.client_version) == (name, version)


def test_claude_code_sessions_and_agents() -> None:
    """Claude Code's attribution headers."""
    seen = Labels(
        [
            (b"x-claude-code-session-id", UUID.encode()),
            (b"x-claude-code-agent-id", b"agent_7f"),
            (b"x-claude-code-parent-agent-id", b"main"),
            (b"x-client-request-id", UUID.upper().encode()),
        ]
    )

    assert (seen.session_id, seen.agent_id, seen.parent_agent_id) == (UUID, "agent_7f", "main")
    assert seen.client_request_id == UUID.upper()


OTHER, THIRD = UUID.replace("7be001", "7be002"), UUID.replace("7be001", "7be003")


@pytest.mark.parametrize(
    ("thread", "parent", "expected"),
    [
        pytest.param(UUID, "", (UUID, None, None), id="itself"),
        pytest.param(OTHER, UUID, (UUID, OTHER, None), id="its-agent"),
        pytest.param(THIRD, OTHER, (UUID, THIRD, OTHER), id="the-agents-agent"),
        pytest.param("secret-thread", "secret-parent", (UUID, None, None), id="no-ids"),
    ],
)
def test_codex_sessions_and_agents(thread: str, parent: str, expected: tuple[str | None, ...]) -> None:
    """Codex tells the session, its own thread, and whose agent it is."""
    names = (b"thread-id", b"session-id", b"x-codex-parent-thread-id")
    told = [(name, value.encode()) for name, value in zip(names, (thread, UUID, parent), strict=True) if value]
    seen = Labels(told)

    assert expected == (seen.session_id, seen.agent_id, seen.parent_agent_id)


@pytest.mark.parametrize(
    "value", [b"sk-ant-oat01-abcdef", b"cw-abcdefgh", b"a b", b"\xff\xfe", b"x" * 200, b"password1", b""]
)
def test_other_values_are_not_kept(value: bytes) -> None:
    """In every header that is looked at."""
    names = (b"x-claude-code-session-id", b"x-claude-code-agent-id", b"x-claude-code-parent-agent-id")
    codex = (b"session-id", b"thread-id", b"x-codex-parent-thread-id")
    seen = Labels([(name, value) for name in (*names, *codex, b"x-client-request-id", b"user-agent")])
    kept = [getattr(seen, name) for name in Labels.__slots__]

    assert kept == [None] * len(kept)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("claude-opus-5-5", True),
        ("anthropic/claude-sonnet-4.5", True),
        ("claude-opus-5-5[1m]", True),
        ("us.anthropic.claude-x-v1:0", True),
        ("sk-ant-api03-x", False),
        ("cw-abcdef", False),
        ("a model", False),
        ("m\n", False),
        ("m" * 200, False),
        ("", False),
        (None, False),
    ],
)
def test_models(value: str | None, kept: bool) -> None:  # noqa: FBT001  # a table
    """Names of models, of any vendor."""
    assert model(value) == (value if kept else None)


def test_ids_and_words() -> None:
    """Upstreams' ids and vocabularies."""
    assert identifier("req_011CSHoEeqs5C35K2UUqR7Fy") == "req_011CSHoEeqs5C35K2UUqR7Fy"
    assert identifier("sk-ant-1234567") is None
    assert word("overloaded_error") == "overloaded_error"
    assert word("Overloaded, said sk-ant") is None


def test_what_is_remembered_stays_small() -> None:
    """A name of megabytes is no name, and is not kept in memory either."""
    before = labels._model.cache_info().currsize  # noqa: SLF001  # the bound is the promise
    for number in range(20):
        assert model("m" * 1_000_000 + str(number)) is None
        assert word("w" * 1_000_000 + str(number)) is None

    assert labels._model.cache_info().currsize == before  # noqa: SLF001


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(TRACE, TRACE, id="whole"),
        pytest.param(TRACE[:-2] + "00", TRACE[:-2] + "00", id="not-sampled"),
        pytest.param(TRACE.upper(), None, id="upper-case"),
        pytest.param(TRACE[:-3], None, id="cut"),
        pytest.param(TRACE + "-x", None, id="longer"),
        pytest.param("ff" + TRACE[2:], None, id="no-version"),
        pytest.param(TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), None, id="no-trace"),
        pytest.param(TRACE.replace("b7ad6b7169203331", "0" * 16), None, id="no-parent"),
    ],
)
def test_a_trace_is_kept_in_its_form_alone(value: str, expected: str | None) -> None:
    """W3C Trace Context, section 3.2: lower-case hex, and neither id all zeros."""
    assert expected == Labels([(b"traceparent", value.encode())]).trace_parent
