"""aider, and with it LiteLLM's client, edits a file through the gateway."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chat.telling import end, start, text, thinking
from tests.clients.outside import Outside
from tests.clients.stage import CREDENTIAL, MODEL
from tests.fake_upstream import Answer, FakeUpstream, Received, Script, stream_answer
from tests.gateway_process import GatewayProcess, anthropic

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

# Without it aider fetches a list from GitHub. Source: aider.chat, "Advanced model settings" (read 2026-11-27).
METADATA = {
    f"openai/{MODEL}": {"max_input_tokens": 1_000_000, "max_output_tokens": 64_000, "litellm_provider": "openai"}
}
WRONG, RIGHT = 'print("helo")\n', 'print("hello")\n'


def _edit(received: Received) -> Answer:
    """A whole file in a fence, as aider asks for it of a model that it does not know; wrong at first."""
    is_told = b"greets wrongly" in received.body
    said = ["So:\n\ngreet.py\n", f"```\n{RIGHT if is_told else WRONG}```\n"]
    return stream_answer([start(), thinking(0, "How does one greet?"), text(1, *said), end()])


def test_edit_and_mend(
    outside: Outside,
    aider_programs: Path,
    start_gateway: Callable[..., GatewayProcess],
    fake_upstream: Callable[[Script], FakeUpstream],
) -> None:
    """It edits the file, runs the check, hears that it fails, and mends the file; thoughts are shown."""
    upstream = fake_upstream(_edit)
    gateway = start_gateway(anthropic(upstream.url), environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    file = outside.home / "greet.py"
    file.write_text('print("")\n')
    (outside.home / ".aider.model.metadata.json").write_text(json.dumps(METADATA))
    check = outside.home / "check"
    check.write_text("#!/bin/sh\ngrep -q hello greet.py || { echo greets wrongly; exit 1; }\n")
    check.chmod(0o755)

    said = outside.run(
        aider_programs / "aider", "--model", f"openai/{MODEL}", "--message", "Greet.", "--yes-always", "--no-git",
        "--auto-test", "--test-cmd", check, "greet.py",
        OPENAI_API_BASE=f"{gateway.url}/v1", OPENAI_API_KEY=gateway.new_key("aider"),
    )  # fmt: skip

    assert RIGHT == file.read_text()
    assert "How does one greet?" in said
    assert "Warning" not in said
    first, second = upstream.received
    asked = json.loads(second.body)
    assert b'print(\\"helo\\")' not in first.body
    assert b'print(\\"helo\\")' in second.body
    assert (MODEL, True, "user") == (asked["model"], asked["stream"], asked["messages"][-1]["role"])
    rows = gateway.settled(2)
    assert [("ok", "chat", 10, 50)] * 2 == [
        (row["outcome"], row["wire"], row["input_tokens"], row["output_tokens"]) for row in rows
    ]
