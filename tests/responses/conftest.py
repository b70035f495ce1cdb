"""The gateway and the SDK are those of the tests of Chat Completions."""

from tests.chat.conftest import bench, client, key, rows, shared_bench

__all__ = ["bench", "client", "key", "rows", "shared_bench"]
