"""One request by an official SDK, and what its caller sees: the same question for Python and for Node.

Used by tests/clients/test_sdk_refusals.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import anthropic
import httpx2
import msgspec

from tests.clients.sdk import connect

SCRIPT = Path(__file__).parent / "node" / "ask.mjs"
MODEL = "claude-sonnet-5-5"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and by whom."""

    url: str
    key: str
    model: str = MODEL
    text: str = "hi"
    repeat: int = 1
    """How often the text stands in the prompt."""
    retries: int = 2
    """How often the SDK may ask again by itself; 2 is its default."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    sent: int
    """Requests that the SDK has sent."""
    stop_reason: str | None = None
    """Of an answer."""
    name: str | None = None
    """The class of the exception otherwise, and what it holds."""
    status: int | None = None
    kind: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after: str | None = None


Asker = Callable[[Question], Outcome]


def ask_python(question: Question) -> Outcome:
    """By the SDK for Python."""
    seen: list[httpx2.Request] = []
    with connect(question.url, question.key, retries=question.retries, seen=seen.append) as client:
        try:
            answer = client.messages.create(
                model=question.model,
                max_tokens=10,
                messages=[{"role": "user", "content": question.text * question.repeat}],
            )
        except anthropic.APIStatusError as error:
            return Outcome(
                sent=len(seen),
                name=type(error).__name__,
                status=error.status_code,
                kind=error.type,
                message=str(error),
                request_id=error.request_id,
                retry_after=error.response.headers.get("retry-after"),
            )
        return Outcome(sent=len(seen), stop_reason=answer.stop_reason)


def node_asker(program: Path, modules: Path, home: Path) -> Asker:
    """By the SDK for Node, in a process that knows nothing of this machine."""

    def ask(question: Question) -> Outcome:
        done = subprocess.run(
            [str(program), str(SCRIPT), str(modules), msgspec.json.encode(question).decode()],
            cwd=home,
            env={"HOME": str(home)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return msgspec.json.decode(done.stdout, type=Outcome)

    return ask
