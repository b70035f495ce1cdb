"""Files and batches with the official SDK for Python, against the real gateway."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic.types.messages.batch_create_params import Request

from tests.clients.sdk import connect, connect_async, forget_this_machine
from tests.objects.scene import MODEL, Scene

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_this_machine(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A gateway before a workspace."""
    with Scene(tmp_path_factory.mktemp("sdk-objects")) as running:
        yield running


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A gateway that knows itself behind a proxy."""
    with Scene(tmp_path_factory.mktemp("sdk-proxied"), settings="[server]\nbehind_proxy = true\n") as running:
        yield running


@pytest.fixture
def client(scene: Scene) -> Iterator[anthropic.Anthropic]:
    """With a key of its own."""
    with connect(scene.gateway.url, scene.key(), "bearer") as connected:
        yield connected


def requests(count: int) -> list[Request]:
    """Of a batch."""
    return [
        {
            "custom_id": f"r{number}",
            "params": {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "2 + 2?"}]},
        }
        for number in range(count)
    ]


def test_files(scene: Scene, client: anthropic.Anthropic) -> None:
    """Upload, list with paging, retrieve, download, use, delete; another key finds none of it."""
    files = client.beta.files
    made = [files.upload(file=(f"{n}.txt", b"content", "text/plain")) for n in range(5)]
    listed = [item.id for item in files.list(limit=2)]
    shown = files.retrieve_metadata(made[0].id)
    content = files.download(made[0].id).read()
    chosen = {item.id for item in files.list(ids=[made[0].id, made[3].id])}
    answer = client.beta.messages.create(
        model=MODEL,
        max_tokens=10,
        messages=[
            {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": made[0].id}}]}
        ],
    )

    assert [item.id for item in made][::-1] == listed
    assert ("0.txt", True) == (shown.filename, b"content" in content)
    assert {made[0].id, made[3].id} == chosen
    assert "4" == answer.content[0].text  # type: ignore[union-attr]  # it is a text
    assert "file_deleted" == files.delete(made[0].id).type
    with pytest.raises(anthropic.NotFoundError):
        files.retrieve_metadata(made[0].id)
    with connect(scene.gateway.url, scene.key()) as other, pytest.raises(anthropic.NotFoundError) as told:
        other.beta.files.retrieve_metadata(made[1].id)
    assert "there is no such file here" in str(told.value)


def test_batches(scene: Scene, client: anthropic.Anthropic) -> None:
    """Create, list with paging, retrieve, cancel, results, delete; nothing leaves for anywhere else."""
    batches = client.messages.batches
    made = [batches.create(requests=requests(2)) for _ in range(5)]
    listed = [item.id for item in batches.list(limit=2)]
    canceled = batches.cancel(made[0].id)
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        batches.results(made[0].id)
    for known in scene.workspace.batches.values():
        known.ended = True
    results = list(batches.results(made[1].id))

    assert [item.id for item in made][::-1] == listed
    assert ("in_progress", "canceling") == (made[0].processing_status, canceled.processing_status)
    assert ["r0", "r1"] == [result.custom_id for result in results]
    assert {"succeeded"} == {result.result.type for result in results}
    assert "message_batch_deleted" == batches.delete(made[1].id).type
    with connect(scene.gateway.url, scene.key()) as other, pytest.raises(anthropic.NotFoundError):
        other.messages.batches.results(made[2].id)


def test_results_behind_a_proxy(proxied: Scene) -> None:
    """The SDK finds its way with a reference, too, and shows its key to nobody else."""
    asked: list[httpx2.Request] = []
    with connect(proxied.gateway.url, proxied.key(), seen=asked.append) as client:
        made = client.messages.batches.create(requests=requests(1))
        proxied.workspace.batches[made.id].ended = True
        results = list(client.messages.batches.results(made.id))

    assert 1 == len(results)
    assert {httpx2.URL(proxied.gateway.url).netloc} == {request.url.netloc for request in asked}


async def test_asynchronous(scene: Scene) -> None:
    """The asynchronous client pages likewise."""
    key = scene.key()
    async with connect_async(scene.gateway.url, key) as client:
        made = [await client.messages.batches.create(requests=requests(1)) for _ in range(3)]
        listed = [item.id async for item in client.messages.batches.list(limit=1)]
        files = [await client.beta.files.upload(file=("a.txt", b"x", "text/plain")) for _ in range(3)]
        own = [item.id async for item in client.beta.files.list(limit=1)]

    assert [item.id for item in made][::-1] == listed
    assert [item.id for item in files][::-1] == own
