"""What an upstream complains of, named as the client knows it (E1)."""

import pytest

from clearway.wire.chat.places import param_of
from clearway.wire.hub.places import place_in
from tests.chat.asking import PNG, body_of, called, result, tool
from tests.chat.asking import asking_for as asking
from tests.chat.asking import call as made

MESSAGES = [
    {"role": "system", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "Be brief."}]},
    {"role": "developer", "content": "And kind."},
    {"role": "user", "content": "hi"},
    {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}]},
    called(made("a", "f"), made("b", "g"), content="Well"),
    result("b", [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": PNG}}]),
    {"role": "user", "content": "and now?"},
    result("a"),
]
FIELDS = {
    "messages": MESSAGES,
    "tools": [tool("f"), tool("f"), tool("g")],
    "max_tokens": 9000,
    "stop": "x",
    "user": "me",
    "reasoning_effort": "low",
}
CASES = [
    pytest.param("system.0.text", "messages[0].content[1]", id="part-of-the-system-prompt"),
    pytest.param("system.1", "messages[1]", id="a-system-message"),
    pytest.param("messages.0.content.0.text", "messages[2]", id="text"),
    pytest.param("messages.0.content.2.image.source.base64.data", "messages[3].content[1]", id="merged-turn"),
    pytest.param("messages.1.content.0", "messages[4]", id="the-assistant"),
    pytest.param("messages.1.content.2.tool_use.id", "messages[4].tool_calls[1]", id="a-call"),
    pytest.param("messages.2.content.0", "messages[7]", id="results-in-the-order-of-calls"),
    pytest.param("messages.2.content.1.tool_result.content.1.image", "messages[5].content[1]", id="within-a-result"),
    pytest.param("messages.2.content.2.text", "messages[6]", id="behind-results"),
    pytest.param("messages.2", "messages[7]", id="a-whole-turn"),
    pytest.param("messages", "messages", id="all-messages"),
    pytest.param("messages.99.content.0", "messages", id="none-there"),
    pytest.param("tools.1.custom.input_schema", "tools[2]", id="tools-without-doubles"),
    pytest.param("max_tokens", "max_tokens", id="bound"),
    pytest.param("stop_sequences.0", "stop", id="stop"),
    pytest.param("metadata.user_id", "user", id="who-asks"),
    pytest.param("thinking.enabled.budget_tokens", "reasoning_effort", id="thinking"),
    pytest.param("output_config.effort", "reasoning_effort", id="effort"),
    pytest.param("temperature", None, id="not-the-clients"),
    pytest.param("betas", None, id="nothing-that-is-known"),
]


@pytest.mark.parametrize(("place", "param"), CASES)
def test_place(place: str, param: str | None) -> None:
    """E1: each place is the client's own, however the request was put together."""
    assert param == param_of(place, body_of("claude-sonnet-5-5", **FIELDS), asking())


WORDS = [
    pytest.param("messages.2.content.0: no", "messages.2.content.0", id="path"),
    pytest.param("max_tokens: 5 > 4", "max_tokens", id="name"),
    pytest.param("prompt is too long: 9 > 8", None, id="words"),
    pytest.param("Input: no", None, id="no-name"),
    pytest.param("", None, id="nothing"),
    pytest.param("messages." + "0." * 500 + "0: no", None, id="endless"),
]


@pytest.mark.parametrize(("words", "place"), WORDS)
def test_where_it_says_so(words: str, place: str | None) -> None:
    """A message begins with its place, or with none."""
    assert place == place_in(words)


def test_a_strict_key_is_answered_too() -> None:
    """E1: what was accepted with a strict key is found again."""
    body = body_of(messages=MESSAGES[2:3])

    assert "messages[0]" == param_of("messages.0.content.0", body, asking(strict=True))
