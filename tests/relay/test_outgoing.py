"""The way out of the real program: proxies and TLS as its configuration and its environment say."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.clients.answers import message
from tests.fake_upstream import FakeUpstream, Script, json_answer
from tests.forward_proxy import ForwardProxy
from tests.gateway_process import GatewayProcess
from tests.relay.stage import CREDENTIAL, Books
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, Whole, prompt

Upstreams = Callable[[Script], FakeUpstream]
Start = Callable[..., GatewayProcess]
FAR = "http://api.example"
"""A name that only a proxy can resolve."""


def both_kinds(base_url: str, host: str, more: str = "") -> str:
    """One upstream at the client's expense, one at the gateway's."""
    return f"""
[[upstreams]]
name = "own-login"
kind = "passthrough"
base_url = "{base_url}"
allow_hosts = ["{host}"]
{more}
[[upstreams]]
name = "api"
kind = "anthropic"
base_url = "{base_url}"
api_key = {{ env = "UPSTREAM_CREDENTIAL" }}
{more}
"""


def ask(gateway: GatewayProcess, field: tuple[str, str] = OWN_CREDENTIAL) -> Whole:
    """One small request."""
    with Client(gateway.url) as client:
        client.ask(prompt(stream=False), [field])
        return client.read_whole()


def test_the_environments_proxy_is_used_by_both_kinds(fake_upstream: Upstreams, start_gateway: Start) -> None:
    """The name is the proxy's to resolve; each credential reaches its upstream, the proxy's own only the proxy;
    `config show` and `doctor` say that it is in force, and who said so.
    """
    upstream = fake_upstream(lambda _: json_answer(message("hi", MODEL)))
    with ForwardProxy(upstream.url) as proxy:
        environment = {"http_proxy": proxy.url("me:hunter2"), "UPSTREAM_CREDENTIAL": CREDENTIAL}
        gateway = start_gateway(both_kinds(FAR, "api.example"), environment=environment)
        key = gateway.new_key("k")
        own, paid = ask(gateway), ask(gateway, ("x-api-key", key))
        shown = json.loads(gateway.cli("config", "show", "--json").stdout)["settings"]
        text = gateway.cli("config", "show").stdout
        findings = gateway.cli("doctor", check=False).stdout

    assert [200, 200] == [own.head.status, paid.head.status]
    asked, asking = upstream.received[:2]
    assert [OWN_CREDENTIAL[1], CREDENTIAL] == [asked.header("x-api-key"), asking.header("x-api-key")]
    assert ["api.example", None] == [asked.header("host"), asked.header("proxy-authorization")]
    assert {"api.example:80"} == {tunnel.target for tunnel in proxy.tunnels}
    assert all(b"\r\nproxy-authorization: Basic bWU6aHVudGVyMg==\r\n" in tunnel.head for tunnel in proxy.tunnels)
    expected = {"value": f"http://***@{proxy.authority}", "origin": "environment http_proxy"}
    assert [expected, expected] == [shown[f"upstreams[{place}].proxy"] for place in (0, 1)]
    assert f"api.example answers through the proxy {proxy.authority}, set by environment http_proxy" in findings
    assert "hunter2" not in text + findings + gateway.log


def test_who_is_spared_is_reached_directly(fake_upstream: Upstreams, start_gateway: Start) -> None:
    """Loopback is, whatever the variables say; `proxy` of the upstream is obeyed all the same."""
    upstream = fake_upstream(lambda _: json_answer(message("hi", MODEL)))
    with ForwardProxy(upstream.url) as unused, ForwardProxy(upstream.url) as used:
        environment = {"HTTP_PROXY": unused.url(), "ALL_PROXY": unused.url(), "UPSTREAM_CREDENTIAL": CREDENTIAL}
        config = both_kinds(upstream.url, "127.0.0.1").replace(
            '[[upstreams]]\nname = "api"', f'[[upstreams]]\nproxy = "{used.url()}"\nname = "api"'
        )
        gateway = start_gateway(config, environment=environment)
        key = gateway.new_key("k")
        own, paid = ask(gateway), ask(gateway, ("x-api-key", key))

    assert [200, 200] == [own.head.status, paid.head.status]
    assert [] == unused.tunnels
    assert [upstream.url.removeprefix("http://")] == [tunnel.target for tunnel in used.tunnels]


def test_a_dead_proxy_is_an_unreachable_upstream(start_gateway: Start) -> None:
    """The client is told so in its own format, by the proxy's host; the ledger charges nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
    config = both_kinds(FAR, "api.example", f'proxy = "http://me:hunter2@{dead}"')
    gateway = start_gateway(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    whole = ask(gateway)
    row = Books(gateway.data_dir).settled(whole.head.exchange_id)
    done = gateway.cli("doctor", check=False)

    assert (502, "upstream_unreachable") == (whole.head.status, whole.head.header("x-clearway-error"))
    assert f"no connection to the proxy {dead}: connection refused" in whole.error()[1]
    assert ("upstream_error", "upstream_unreachable", 0) == (row.outcome, row.error_code, row.cost_nano or 0)
    assert f"fail upstream api: no connection to the proxy {dead}: connection refused" in done.stdout
    assert "hunter2" not in whole.error()[1] + gateway.log + done.stdout


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
def test_socks_is_refused_at_the_start(tmp_path: Path, variable: str) -> None:
    """Rather than going directly, where no one meant it to."""
    home = tmp_path / "home"
    home.mkdir()
    config = both_kinds("https://api.example", "api.example")
    gateway = GatewayProcess(home, config, environment={variable: "socks5h://me:hunter2@127.0.0.1:1080"})
    done = gateway.cli("config", "check", check=False)

    assert 3 == done.returncode
    assert f"environment {variable}: upstreams[0].proxy: is a SOCKS proxy, which is not supported" in done.stderr
    assert "hunter2" not in done.stderr


class Answering(BaseHTTPRequestHandler):
    """Says the same message to everybody."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(message("hi", MODEL)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def tls_upstream(certificate: trustme.LeafCert) -> Iterator[str]:
    """An upstream with TLS on 127.0.0.1; yields its base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # failed handshakes are what is tested
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


LENIENT = {
    "PYTHONHTTPSVERIFY": "0",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "SSL_VERIFY": "0",
}
"""What turns verification off elsewhere."""


def test_no_variable_turns_verification_off(start_gateway: Start) -> None:
    """Nothing of the request goes to somebody who cannot be told from an attacker, whatever is set."""
    with tls_upstream(trustme.CA().issue_cert("127.0.0.1")) as url:
        environment = {**LENIENT, "UPSTREAM_CREDENTIAL": CREDENTIAL}
        gateway = start_gateway(both_kinds(url, "127.0.0.1"), environment=environment)
        whole = ask(gateway)

    assert (502, "upstream_unreachable") == (whole.head.status, whole.head.header("x-clearway-error"))
    assert "is not trusted" in whole.error()[1]


@pytest.mark.parametrize("by", ["ca", "SSL_CERT_FILE"])
def test_authorities_may_be_added_and_keys_are_not_logged(start_gateway: Start, tmp_path: Path, by: str) -> None:
    """By `ca` of the upstream, or by the variable with which OpenSSL's own files are replaced; `SSLKEYLOGFILE`,
    by which others could read the traffic, does nothing.
    """
    authority = trustme.CA()
    ca, keys = tmp_path / "ca.pem", tmp_path / "keys.log"
    authority.cert_pem.write_to_path(ca)
    environment = {"SSLKEYLOGFILE": str(keys), "UPSTREAM_CREDENTIAL": CREDENTIAL}
    if by == "SSL_CERT_FILE":
        environment["SSL_CERT_FILE"] = str(ca)
    with tls_upstream(authority.issue_cert("127.0.0.1")) as url:
        more = f'ca = "{ca}"' if by == "ca" else ""
        gateway = start_gateway(both_kinds(url, "127.0.0.1", more), environment=environment)
        whole = ask(gateway)

    assert 200 == whole.head.status
    assert not keys.exists()
