"""`clearway open` and `clearway password`, as they are typed."""

import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.admin.door import Door, new_key, signed_in, with_key
from tests.gateway_process import PROGRAM, SIM, GatewayProcess

PASSWORD = "correct horse battery staple"  # noqa: S105  # of these tests alone


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway."""
    with GatewayProcess(tmp_path, SIM) as made:
        yield made


@pytest.mark.timeout(60)
def test_open(gateway: GatewayProcess) -> None:
    """The link alone on stdout, or as JSON; it signs in; what a browser is given is a file for its owner alone."""
    said = gateway.cli("open")
    as_json = msgspec.json.decode(gateway.cli("open", "--json").stdout)
    browser = gateway.home / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$HOME/opened"\n')
    browser.chmod(0o755)
    opened = gateway.cli("open", "--browser", environment={"BROWSER": f"{browser} %s"})
    page = gateway.data_dir / "open.html"

    assert said.stdout.startswith(f"{gateway.url}/admin/sign-in#")
    assert 1 == said.stdout.count("\n")
    assert "once" in said.stderr
    assert ({"url", "expires_s"}, 300) == (set(as_json), as_json["expires_s"])
    for link in (said.stdout.strip(), as_json["url"]):
        assert 200 == signed_in(gateway, {"link": link.partition("#")[2]}).ask("GET", "/admin/api/status").status
    assert 0o600 == stat.S_IMODE(page.stat().st_mode)
    assert opened.stdout.strip() in page.read_text()
    assert page.as_uri() == (gateway.home / "opened").read_text().strip()


@pytest.mark.timeout(60)
def test_password(gateway: GatewayProcess) -> None:
    """Read from stdin, never from the command line; kept as a hash; removed again."""

    def say(line: str, *arguments: str) -> tuple[int, str]:
        import subprocess  # noqa: PLC0415  # the one test that types something

        done = subprocess.run(
            [PROGRAM, "password", *arguments],
            cwd=gateway.home,
            env=gateway.environment,
            input=line,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "" == done.stdout
        return done.returncode, done.stderr

    nothing = say("", "--remove")
    short, argued = say("short\n"), say("", PASSWORD)
    done = say(f"{PASSWORD}\n")
    page = signed_in(gateway, {"password": PASSWORD})
    changes = with_key(gateway, new_key(gateway, "boss", owner=True)).get("audit?source=cli")["changes"]
    kept = b"".join(path.read_bytes() for path in gateway.data_dir.rglob("*") if path.is_file())
    removed = say("", "--remove")

    assert (0, "clearway: there was no password\n") == nothing
    assert (2, 2) == (short[0], argued[0])
    assert "12 to 512 characters" in short[1]
    assert (0, 0) == (done[0], removed[0])
    assert "password.set" in [change["what"] for change in changes]
    assert PASSWORD.encode() not in kept
    assert b"$argon2id$" in kept
    assert 401 == page.ask("GET", "/admin/api/status").status
    assert "wrong_sign_in" == Door(gateway.url).ask("POST", "/admin/api/session", {"password": PASSWORD}).code


@pytest.mark.timeout(60)
def test_without_a_gateway(gateway: GatewayProcess) -> None:
    """A link needs a gateway that runs; a password does not."""
    gateway.stop()
    done = gateway.cli("open", check=False)
    removed = gateway.cli("password", "--remove")
    gateway.start()

    assert (4, "") == (done.returncode, done.stdout)
    assert "clearway serve" in done.stderr
    assert "there was no password" in removed.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize("url", ["claude.lan", "ftp://claude.lan", "https://me@claude.lan", "https://claude.lan#x"])
def test_wrong_address(gateway: GatewayProcess, url: str) -> None:
    """What is no address of a gateway is refused before a link is made."""
    assert 2 == gateway.cli("open", "--url", url, check=False).returncode
