"""The same on PostgreSQL: owners, pages, bodies, charges, over a kill."""

from collections.abc import Callable, Iterator

import pytest

from tests.objects.scene import Scene, holding, told
from tests.services import Postgres, ServiceMissing, postgres, require

FILES, BATCHES = "/v1/files", "/v1/messages/batches"


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL of the test's own."""
    try:
        with postgres() as running:
            yield running
    except ServiceMissing as missing:
        require(missing)


@pytest.mark.timeout(90)
def test_on_postgresql(server: Postgres, build_scene: Callable[..., Scene]) -> None:
    """What a key made is its own, is listed, and is charged once, also after a kill."""
    scene = build_scene(settings=f'[store]\nurl = "{server.url}"\n', upstreams=holding)
    key, other = scene.key(), scene.key()
    files = [scene.upload(key) for _ in range(3)]
    batch = scene.batch(key, 2)
    scene.gateway.kill()
    scene.gateway.start()
    listed = told(scene.ask(key, "GET", f"{FILES}?limit=2"))["data"]
    assert isinstance(listed, list)
    block = {"type": "document", "source": {"type": "file", "file_id": files[0]}}
    message = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}

    assert files[:0:-1] == [item["id"] for item in listed]
    assert [404, 404] == [
        scene.ask(other, "GET", f"{FILES}/{files[0]}").head.status,
        scene.post(other, "/v1/messages", message).head.status,
    ]
    assert 200 == scene.post(key, "/v1/messages", message).head.status
    for _ in range(2):
        assert 200 == scene.ask(key, "GET", f"{BATCHES}/{batch}/results").head.status
    server.stop()
    assert 503 == scene.ask(key, "GET", f"{FILES}/{files[0]}").head.status
    server.start()
    scene.gateway.kill()
    scene.gateway.start()
    scene.ask(key, "GET", f"{BATCHES}/{batch}/results")
    assert [40] == [row.input_tokens for row in scene.charges(key)]
    assert 200 == scene.ask(key, "DELETE", f"{FILES}/{files[0]}").head.status
    assert 404 == scene.ask(key, "GET", f"{FILES}/{files[0]}").head.status
