"""A connection serves many requests, but not for ever."""

from clearway.server.guard import MAX_REQUESTS
from tests.relay.stage import Stage


def test_closed_after_its_last_request(shared_stage: Stage) -> None:
    """The answer to the thousandth request says that the connection is closed, and so it is; no other says so."""
    with shared_stage.client() as client:
        for number in range(1, MAX_REQUESTS + 1):
            client.request("POST", "/v1/messages", [], b"{}")
            head = client.read_whole().head

            assert 401 == head.status
            assert ("close" if number == MAX_REQUESTS else None) == head.header("connection")

        assert client.is_ended()
