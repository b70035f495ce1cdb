"""A session with a secret in every place there is, which goes wrong in every way, and where to look for them.

Used by the check on credentials (b24) in tests/checks.
"""

import base64
import gzip
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from clearway.cli.remote import RemoteLedger
from clearway.ledger.protocol import ExchangeQuery
from tests.fake_upstream import Answer, Cut, Gate, answer, error_answer, json_answer, stream_answer
from tests.security.canaries import Canaries
from tests.security.talk import Answered, Fields, ask, connect, exchange, head, request
from tests.security.world import World

PATIENCE_S = 10.0
READING = (
    ("log", "-n", "1000"),
    ("log", "-n", "1000", "--json"),
    ("usage", "--by", "day,model,key,session,client,upstream,run"),
    ("usage", "--by", "model", "--json"),
    ("keys", "list", "--all"),
    ("keys", "show", "ada", "--json"),
    ("config", "show"),
    ("config", "show", "--json"),
    ("config", "check"),
    ("doctor",),
    ("doctor", "--json"),
    ("env", "claude-code", "--with-key"),
)


class Session:
    """One client who sends a secret in every place there is, and upstreams that answer in kind."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.canaries = Canaries()
        self.key = self.canaries.key("clearway key", world.gateway.new_key("ada"))
        new = self.canaries.new
        self.login: Fields = (("authorization", f"Bearer {new('login', 'sk-ant-oat01-{}')}"),)
        self.api_login: Fields = (("x-api-key", new("api login", "sk-ant-api03-{}")),)
        self.fields: Fields = (
            ("user-agent", f"claude-cli/2.1.329 ({new('user agent')}, cli)"),
            ("x-claude-code-session-id", new("session")),
            ("x-claude-code-agent-id", new("agent", "sk-ant-{}")),
            ("session-id", new("session of Codex")),
            ("thread-id", new("thread of Codex")),
            ("x-codex-parent-thread-id", new("parent of Codex")),
            ("x-client-request-id", new("client request id")),
            ("traceparent", f"00-{new('trace')}-0000000000000001-01"),
            ("x-unknown", new("unknown field")),
            ("anthropic-beta", new("beta")),
            ("anthropic-version", "2023-06-01"),
        )
        self.stopped: Fields = (
            ("cookie", f"session={new('cookie')}"),
            ("proxy-authorization", f"Basic {new('proxy authorization')}"),
            ("x-clearway-other", new("own field")),
            ("x-clearway-key", self.key),
        )
        self.query = f"beta=true&token={new('query')}"
        self.body = msgspec.json.encode(self._body())
        self.answered: list[Answered] = []

    def _body(self) -> dict[str, object]:
        new = self.canaries.new
        image = base64.b64encode(new("image").encode()).decode()
        content = [
            {"type": "text", "text": new("text")},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
            {"type": "tool_result", "tool_use_id": "toolu_01", "content": new("tool result")},
        ]
        server = {"type": "url", "name": "x", "url": f"https://x.example/{new('mcp url')}"}
        return {
            "model": "claude-sonnet-4-5",
            "max_tokens": 64,
            "system": new("system"),
            "metadata": {"user_id": new("user id", "user_{}")},
            "mcp_servers": [{**server, "authorization_token": new("mcp token")}],
            "tools": [{"name": new("tool name"), "input_schema": {}}],
            "messages": [{"role": "user", "content": content}],
            new("name of a member"): 1,
        }

    def head_of_answer(self) -> list[tuple[str, str]]:
        """Fields of an answer, with secrets."""
        new = self.canaries.new
        return [
            ("request-id", new("request id", "sk-ant-{}")),
            ("x-request-id", new("x request id", "secret {}")),
            ("set-cookie", f"a={new('set-cookie')}"),
            ("anthropic-organization-id", new("organization")),
            ("x-answered", new("field of an answer")),
        ]

    def stream(self) -> Answer:
        """A whole answer as a stream."""
        new = self.canaries.new
        usage: dict[str, object] = {
            "input_tokens": 5,
            "service_tier": new("tier", "Tier {}"),
            "speed": new("speed", "sk-{}"),
        }
        usage |= {"inference_geo": new("geo", "in {}"), "output_tokens": new("count"), "x": new("usage")}
        usage |= {"iterations": [{"type": new("run", "run {}"), "model": new("model of a run", "a {}")}]}
        start = {"id": new("id", "sk-ant-{}"), "model": new("answering model", "claude {}"), "usage": usage}
        delta = {"stop_reason": new("stop reason", "because {}"), "stop_sequence": new("stop sequence")}
        events = (
            {"type": "message_start", "message": {"type": "message", **start}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": new("said")}},
            {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        )
        return stream_answer([_event(event) for event in events], headers=self.head_of_answer())

    def plain(self) -> Answer:
        """A whole answer at once."""
        new = self.canaries.new
        said: dict[str, object] = {
            "type": "message",
            "id": new("plain id", "sk-ant-{}"),
            "model": new("plain model", "claude {}"),
        }
        said |= {"content": [{"type": "text", "text": new("plain text")}], "stop_reason": new("plain stop", "S {}")}
        return json_answer({**said, "usage": {"input_tokens": new("plain count")}}, headers=self.head_of_answer())

    def error(self, status: int) -> Answer:
        """An error of the upstream's."""
        kind = self.canaries.new(f"type of {status}", "sk-ant-{}")
        return error_answer(status, kind, self.canaries.new(f"message of {status}"), headers=self.head_of_answer())

    def send(self, *fields: tuple[str, str], target: str = "/v1/messages", body: bytes | None = None) -> None:
        """One request with everything, by the login or by the key."""
        data = self.body if body is None else body
        said = exchange(
            self.world.gateway.url,
            request(f"{target}?{self.query}", *fields, *self.fields, *self.stopped[:3], body=data),
        )
        if said is not None:
            self.answered.append(said)

    def by_everybody(self, stage_answer: Answer, body: bytes | None = None) -> None:
        """The same by a login, by a login beside a key, and by a key alone."""
        for stage in self.world.stages:
            stage.says(stage_answer)
        self.send(*self.login, body=body)
        self.send(*self.api_login, ("x-clearway-key", self.key), body=body)
        self.send(("x-api-key", self.key), body=body)


def _event(event: Mapping[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


def go_well(session: Session) -> None:
    """Answers that come whole."""
    session.by_everybody(session.stream())
    session.by_everybody(session.plain())
    session.by_everybody(session.plain(), body=gzip.compress(session.body))
    session.send(*session.login, target=f"/v1/files/{session.canaries.new('path', 'sk-ant-{}')}")
    for target in ("/v1/models", "/v1/messages/count_tokens", "/api/oauth/usage"):
        session.send(*session.login, target=target)


def go_wrong_upstream(session: Session) -> None:
    """Whatever an upstream can do to us."""
    new = session.canaries.new
    for status in (400, 401, 403, 404, 413, 429, 500, 529):
        session.by_everybody(session.error(status))
    broken = {
        "type": "error",
        "error": {"type": new("type in a stream", "sk-{}"), "message": new("message in a stream")},
    }
    session.by_everybody(stream_answer([_event({"type": "message_start", "message": {}}), _event(broken)]))
    session.by_everybody(stream_answer([f"data: {new('cut')}\n".encode(), Cut.RST]))
    session.by_everybody(stream_answer([f"data: {{{new('no json')}\n\n".encode()]))
    session.by_everybody(Answer((f"HTTP/9 {new('status line')}\r\n\r\n".encode(),), close=True))
    session.by_everybody(Answer((f"HTTP/1.1 200 OK\r\n{new('field without colon')}\r\n\r\n".encode(),), close=True))
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    session.by_everybody(Answer((chunked + new("chunk size").encode() + b"\r\n",), close=True))
    packed = [("content-type", "application/json"), ("content-encoding", "gzip")]
    session.by_everybody(answer(new("not gzip").encode(), headers=packed))
    unknown = [("content-type", "application/json"), ("content-encoding", new("coding"))]
    session.by_everybody(answer(b"{}", headers=unknown))
    session.by_everybody(answer(new("html").encode(), status=502, headers=[("content-type", "text/html")]))


def go_wrong_client(session: Session) -> None:
    """Whatever a client can do to us."""
    new, url = session.canaries.new, session.world.gateway.url
    for stage in session.world.stages:
        stage.says(session.plain())
    bodies = [
        f'{{"model": "{new("cut body")}'.encode(),
        f'{{"model": {{"{new("model of a wrong type")}": 1}}}}'.encode(),
        f'{{"model":"{new("model twice")}","model":"x"}}'.encode(),
        msgspec.json.encode({"model": new("unserved model", "unserved {} model"), "messages": []}),
        msgspec.json.encode({"model": new("model as a key", "sk-ant-api03-{}"), "messages": []}),
        msgspec.json.encode({"model": new("dead model", "dead-secret-{}"), "messages": []}),
        msgspec.json.encode({"model": new("odd model", "claude-{} secret"), "messages": []}),
    ]
    for body in bodies:
        session.send(*session.login, body=body)
        session.send(("x-api-key", session.key), body=body)
    session.send(*session.login, ("content-encoding", "gzip"), body=new("body not packed").encode())
    session.send(*session.login, ("content-encoding", new("unknown coding")), body=b"{}")
    session.send(("x-api-key", session.canaries.new("mistyped key", "cw-{}")))
    session.send(("x-clearway-key", session.canaries.new("foreign value in the own field", "sk-ant-{}")))
    session.send(*session.login, target=f"/nowhere/{new('nowhere')}")
    session.send(*session.login, target=f"/v1/../{new('trick')}")
    raw = [
        head("POST", "/v1/messages", *session.login, ("x-long", new("long field") + "x" * 70_000)),
        head("POST", "/v1/messages", *session.login, host=f"{new('host')}.example"),
        head("POST", "/v1/messages", *session.login, ("host", new("second host"))),
        head("POST", "/v1/messages", *session.login, ("connection", "upgrade"), ("upgrade", new("upgrade"))),
        f"{new('method')} / HTTP/1.1\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{new('bad line')}\r\n\r\n".encode(),
        new("no http").encode() + b"\r\n\r\n",
        head("POST", "/v1/messages", *session.login, ("transfer-encoding", "chunked"))
        + new("bad chunk").encode()
        + b"\r\n",
    ]
    for data in raw:
        exchange(url, data)


def leave(session: Session) -> None:
    """The client goes while it is answered."""
    stage = session.world.login_host
    stage.says(stream_answer([_event({"type": "message_start", "message": {}}), Gate()]))
    data = request(f"/v1/messages?{session.query}", *session.login, *session.fields, body=session.body)
    with connect(session.world.gateway.url) as sock:
        sock.sendall(data)

        assert sock.recv(65_536)
    stage.upstream.wait_left()


def lose_the_ledger(session: Session) -> None:
    """The database refuses for a while: first to the gateway, then to a command that makes a key."""
    gateway = session.world.gateway
    for stage in session.world.stages:
        stage.says(session.plain())
    with closing(sqlite3.connect(gateway.data_dir / "ledger.db", isolation_level=None)) as database:
        for table in ("attempts", "key_secrets"):
            database.execute(f"ALTER TABLE {table} RENAME TO hidden")
            session.send(*session.login)
            session.send(("x-api-key", session.key))
            if table == "attempts":
                _until(lambda: "ledger_not_writable" in gateway.log)
            else:
                done = gateway.cli("keys", "create", "not-made", check=False)

                assert done.returncode == 1
                assert "cw-" not in done.stdout + done.stderr
            database.execute(f"ALTER TABLE hidden RENAME TO {table}")
            if table == "attempts":
                _until(lambda: "ledger_writable_again" in gateway.log)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Watching(threading.Thread):
    """Reads the live feed until the gateway ends it."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.sendall(b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.said = b""

    def run(self) -> None:
        """Collect."""
        with self._socket:
            while piece := self._socket.recv(65_536):
                self.said += piece


def status_of(path: Path) -> bytes:
    """What `GET /status` of the control socket says."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def places(session: Session) -> Iterator[tuple[str, bytes]]:
    """Everything that can be read of a running gateway, but for its files."""
    gateway = session.world.gateway
    control = gateway.data_dir / "control.sock"
    yield "status", status_of(control)
    yield "metrics", ask(gateway.url, target="/metrics", method="GET", body=b"").body
    yield "command line", Path(f"/proc/{gateway.pid}/cmdline").read_bytes()
    ledger = RemoteLedger(control)
    rows = ledger.exchanges(ExchangeQuery(limit=1000))

    assert len(rows) > 75
    for row in rows:
        yield f"show {row.id}", msgspec.json.encode(ledger.exchange(row.id))
    failed = next(row for row in rows if row.outcome == "upstream_error")
    for command in (*READING, ("show", failed.id), ("show", rows[-1].id, "--json")):
        done = gateway.cli(*command, check=False)
        yield " ".join(command), (done.stdout + done.stderr).encode()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_socket():
            yield path.name, path.read_bytes()


def tables(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every table of a database but the one that keeps the keys' hashes."""
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name != "key_secrets":
                rows = database.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608  # names from the database itself
                yield f"table {name}", repr(rows).encode()


def check(canaries: Canaries, found: Iterator[tuple[str, bytes]], *, hashes: bool = True) -> None:
    """None of them is there, in any form."""
    leaks = {leak for place, data in found for leak in canaries.leaks(place, data, hashes=hashes)}

    assert set() == leaks


def check_that_it_happened(session: Session) -> None:
    """The secrets did pass, and what should go wrong did."""
    log = session.world.gateway.log
    passed = b"".join(stage.bytes for stage in session.world.stages)
    for answered in session.answered:
        passed += answered.body + repr(answered.headers).encode()
    sent = {name for name in session.canaries.names if name in session.canaries.present(passed)}
    stopped = {"cookie", "proxy authorization", "own field", "clearway key"}

    assert {"login", "api login", "query", "text", "image", "tool result", "mcp token", "user id", "said"} <= sent
    assert {"set-cookie", "organization", "message of 400", "message in a stream", "html", "answering model"} <= sent
    assert set() == stopped & session.canaries.present(b"".join(stage.bytes for stage in session.world.stages))
    for event in ("watch_failed", "Traceback", "ledger_not_writable", "ledger_writable_again"):
        assert event in log
    for event in ("upstream_refused_credential", "answer_not_metered", "not_authenticated"):
        assert event in log
