"""A client program in a process that knows nothing of this machine and reaches nothing but loopback.

Owns its environment: emptied, a home of its own, telemetry off, and a proxy that leads nowhere and
remembers who asked for it.
Used by tests/clients and tests/docs.
"""

import subprocess
from pathlib import Path
from typing import Self

from tests.fake_upstream import FakeUpstream, answer

QUIET = {
    "DO_NOT_TRACK": "1",
    # Source: docs.langchain.com, "Trace without setting environment variables"; openai-agents 0.24, tracing/provider.py
    # (read 2026-11-27).
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    # Source: docs.litellm.ai, "Custom Model Cost Map"; aider 0.86.2, `aider --help` (read 2026-11-27).
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "AIDER_ANALYTICS": "false",
    "AIDER_CHECK_UPDATE": "false",
    "AIDER_SHOW_RELEASE_NOTES": "false",
}
PATIENCE_S = 120
"""Most take three seconds, on a machine that has nothing else to do."""


class Outside:
    """Runs clients, each with the same empty home. To be used as a context."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._proxy = FakeUpstream(lambda _: answer(b"", status=403))

    def run(self, *command: object, **variables: str) -> str:
        """What a program says; it must end well."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.home,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{command[:2]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """All the variables there are."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **dict.fromkeys(names, self._proxy.url),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            # Node looks at the variables above since version 24, when it is told to.
            "NODE_USE_ENV_PROXY": "1",
            **QUIET,
        }

    def __enter__(self) -> Self:
        self._proxy.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._proxy.__exit__(None, None, None)
        asked = [received.head.split(b"\r\n")[0].decode() for received in self._proxy.received]

        assert not asked, f"a client wanted to leave loopback: {asked}"
