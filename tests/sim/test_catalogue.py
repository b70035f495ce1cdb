"""The list of models."""

import pytest
from anthropic.types import ModelInfo

from clearway.upstreams.protocol import Request
from tests.sim.asking import Got, Json, make_sim, send


async def get(path: str, **settings: object) -> Got:
    """Ask for a path."""
    return await send(make_sim(**settings), Request(method=b"GET", target=path.encode(), headers=[]))  # type: ignore[arg-type]  # settings by name


def ids(got: Got) -> list[str]:
    """The ids of a page, each checked by the SDK's own type."""
    data = got.json()["data"]
    assert isinstance(data, list)
    return [ModelInfo.model_validate(model).id for model in data]


async def test_pages_add_up() -> None:
    """Pages of two, forwards and backwards, are the list."""
    everything = ids(await get("/v1/models?limit=1000"))
    forwards: list[str] = []
    query = "limit=2"
    while True:
        page = await get(f"/v1/models?{query}")
        forwards += ids(page)
        if not page.json()["has_more"]:
            break
        query = f"limit=2&after_id={page.json()['last_id']}"
    before = ids(await get(f"/v1/models?limit=2&before_id={everything[-1]}"))

    assert everything == forwards
    assert everything[-3:-1] == before


async def test_patterns() -> None:
    """Only the models of the settings are listed."""
    got = await get("/v1/models", models=("*-haiku-*",))

    assert ids(got)
    assert all("haiku" in name for name in ids(got))


async def test_one() -> None:
    """Any id that begins with `claude-` is a model."""
    got = await get("/v1/models/claude-opus-5-5")
    model = ModelInfo.model_validate(got.json())

    assert model.display_name == "Claude Opus 5.5 (simulated)"
    assert model.line == "opus"
    assert ModelInfo.model_validate((await get("/v1/models/claude-next")).json()).line is None


async def test_head() -> None:
    """`HEAD` has the head of `GET` and no body."""
    got = await send(make_sim(), Request(method=b"HEAD", target=b"/v1/models", headers=[]))
    whole = await get("/v1/models")

    assert (200, whole.headers["content-length"], b"") == (got.status, got.headers["content-length"], got.body)


@pytest.mark.parametrize("limit", ["0", "1001", "x", "-1", "1" * 5000])
async def test_wrong_limit(limit: str) -> None:
    """A limit out of range is a 400."""
    got = await get(f"/v1/models?limit={limit}")
    error: Json = got.error()

    assert got.status == 400
    assert error["type"] == "invalid_request_error"
