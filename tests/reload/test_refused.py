"""A configuration that is wrong in any way changes nothing, and the log says file, setting and what to do."""

from pathlib import Path

import msgspec
import pytest

from tests.relay.stage import wait_until
from tests.reload.place import REFUSED, Place, upstream

WRONG = [
    pytest.param("[server\n", "is not valid TOML", "", id="not-toml"),
    pytest.param("[servre]\nport = 1\n", "servre: unknown setting", 'did you mean "server"?', id="unknown"),
    pytest.param("[server]\nmax_body = -1\n", "server.max_body", "", id="out-of-range"),
    pytest.param(
        upstream("api", "http://127.0.0.1:9", "NOT_SET"),
        "environment NOT_SET: upstreams[0].api_key: is not set",
        "a running gateway does not see variables that are set later",
        id="no-variable",
    ),
    pytest.param(
        upstream("api", "http://127.0.0.1:9", api_key='{ file = "/nowhere/secret" }'),
        "/nowhere/secret: upstreams[0].api_key: no such file or directory",
        "write the secret into that file",
        id="no-file",
    ),
    pytest.param(
        '[[upstreams]]\nname = "again"\nkind = "replay"\nrecordings = "/nowhere"\n',
        "there is no folder /nowhere",
        "",
        id="no-recordings",
    ),
    pytest.param('[usage]\nprices = "/nowhere.json"\n', "usage.prices", "", id="no-prices"),
    pytest.param(
        upstream("api", "https://127.0.0.1:9", ca='"/nowhere.pem"'), "/nowhere.pem cannot be loaded", "", id="no-ca"
    ),
    pytest.param('[server]\nhost = "0.0.0.0"\n', "server.host", "put a reverse proxy", id="unsafe"),
]


@pytest.mark.parametrize(("text", "said", "hint"), WRONG)
def test_nothing_changes(place: Place, text: str, said: str, hint: str) -> None:
    """By signal and by command: the old configuration stays, the log and the command say why, with exit code 3."""
    place.hang_up(f"{text}\n", REFUSED)
    line = next(line for line in place.gateway.log.splitlines() if REFUSED in line)
    logged = msgspec.json.decode(line, type=dict[str, str | None])
    done = place.gateway.cli("--data-dir", str(place.gateway.data_dir), "reload", check=False)

    assert said in str(logged["problem"])
    assert hint in (logged["hint"] or "")
    assert (3, "") == (done.returncode, done.stdout)
    assert said in done.stderr
    assert hint in done.stderr
    assert done.stderr.endswith("clearway: nothing has changed\n")
    assert "first" == place.who_answers()
    assert not place.reload(upstream("api", place.second.upstream.url)).problems
    assert "second" == place.who_answers()


def test_one_of_two_is_wrong(place: Place) -> None:
    """Where one of the new upstreams cannot be had, none of the others comes into force either."""
    came = place.reload(
        upstream("api", place.second.upstream.url) + '[[upstreams]]\nname = "x"\nkind = "replay"\nrecordings = "/no"\n'
    )

    assert ["there is no folder /no"] == [problem.message for problem in came.problems]
    assert "first" == place.who_answers()


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "found"])
def test_a_file_that_is_gone(tmp_path: Path, *, is_named: bool) -> None:
    """An editor is just replacing it: the defaults are no substitute for what it said."""
    place = Place(tmp_path)
    if not is_named:
        del place.gateway.environment["CLEARWAY_CONFIG"]
    with place:
        place.file.unlink()
        (problem,) = place.reload().problems

        assert str(place.file) in str(problem)
        assert ("there is no file" if is_named else "is not there any more") in problem.message
        assert "first" == place.who_answers()
        place.hang_up(upstream("api", place.second.upstream.url))
        assert "second" == place.who_answers()


def test_nobody_to_tell(place: Place) -> None:
    """Without a gateway the command says so, and what to do: exit code 4."""
    place.gateway.stop()
    done = place.gateway.cli("reload", check=False)

    assert 4 == done.returncode
    assert "no gateway runs on" in done.stderr
    place.gateway.start()
    wait_until(lambda: place.who_answers() == "first", "it runs again")
