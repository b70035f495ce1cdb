"""Writes `docs/reference/` and `docs/checks.md` from the code, so that they cannot say anything else.

The commands come from the command line itself, settings and record fields from
the docstrings under them, errors from their tree, checks from their tests. `--check`
writes nothing and fails where a committed page differs. Used by `make docs` and `make check`.
"""

import argparse
import ast
import difflib
import inspect
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from clearway.cli.app import whole
from clearway.cli.window_check import WindowConcern
from clearway.config.model import Config
from clearway.config.sample import as_toml
from clearway.config.types import Type, docs_of, fields_of
from clearway.core import errors
from clearway.keys.model import Key
from clearway.ledger.administration import AuditRow
from clearway.ledger.protocol import AttemptRow, ExchangeRow, UsageRow, WindowState
from clearway.observe.metrics import METRICS
from clearway.server.admin.failures import CODES
from clearway.server.admin.openapi import codes_of, document
from clearway.server.admin.routes import ROUTES, Route

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
CHECKS = ROOT / "tests" / "checks"
CHAT = ROOT / "tests" / "chat"
RESPONSES = ROOT / "tests" / "responses"
MADE = "<!-- Made from the code by `make docs`: change it there. -->"
_RECORDS: tuple[tuple[type[msgspec.Struct], str], ...] = (
    (ExchangeRow, "`clearway log --json` prints one per line; `clearway show --json` has it under `exchange`."),
    (AttemptRow, "`clearway show --json` has them under `attempts`."),
    (UsageRow, "`clearway usage --json` prints a list of them."),
    (WindowState, "`clearway usage --windows --json` prints a list of them."),
    (
        WindowConcern,
        "`clearway usage --check --json` prints a list of them; where it is not empty, the exit code is 6.",
    ),
    (Key, "`clearway keys list --json` prints a list of them."),
    (AuditRow, "`GET /admin/api/audit` answers pages of them."),
)


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a page differs")
    check = parser.parse_args().check
    stale = [name for name, make in PAGES.items() if not _settle(DOCS / name, make(), check=check)]
    if stale:
        print(f"error: {', '.join(stale)} differ from the code; run: make docs", file=sys.stderr)
        raise SystemExit(1)


def _settle(path: Path, text: str, *, check: bool) -> bool:
    before = path.read_text() if path.is_file() else ""
    if before == text:
        return True
    if check:
        old, new = before.splitlines(keepends=True), text.splitlines(keepends=True)
        sys.stderr.writelines(difflib.unified_diff(old, new, path.name, "code", n=0))
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(f"wrote {path.name}", file=sys.stderr)
    return True


def cli_page() -> str:
    """Every command with its arguments and options."""
    table = whole()
    lines = [MADE, "# Command line", "", f"`{table.name}`: {table.help}", "", str(table.epilog), ""]
    lines += _options(table)
    for name, command in table.commands.items():
        lines += _command(f"clearway {name}", command)
    return _text(lines)


def _command(path: str, command: object) -> Iterator[str]:
    inner: dict[str, object] = getattr(command, "commands", {})
    yield from ("", f"## `{path}`", "", inspect.cleandoc(str(getattr(command, "help", "") or "")))
    options = _options(command)
    if options:
        yield from ("", *options)
    for name, part in inner.items():
        yield from _command(f"{path} {name}", part)


def _options(command: object) -> list[str]:
    params = [
        param
        for param in getattr(command, "params", ())
        if param.name != "help" and not getattr(param, "hidden", False)
    ]
    if not params:
        return []
    rows = [f"| {_spelling(param)} | {_cell(str(param.help or ''))}{_default(param)} |" for param in params]
    return ["| argument or option | |", "|---|---|", *rows]


def _spelling(param: object) -> str:
    if getattr(param, "param_type_name", "") == "argument":
        name = str(getattr(param, "metavar", None) or str(getattr(param, "name", "")).upper()).strip("{}[]")
        return f"`{name}`" if getattr(param, "required", False) else f"`[{name}]`"
    names = [*getattr(param, "opts", ()), *getattr(param, "secondary_opts", ())]
    value = "" if getattr(param, "is_flag", False) else f" {getattr(param, 'metavar', None) or 'VALUE'}"
    return ", ".join(f"`{name}{value}`" for name in names)


def _default(param: object) -> str:
    default = getattr(param, "default", None)
    shown = default not in (None, False, "", ()) and getattr(param, "show_default", True) and not callable(default)
    return f" Default `{default}`." if shown else ""


def settings_page() -> str:
    """Every setting, with its type, default and environment variable."""
    lines = [
        MADE,
        "# Settings",
        "",
        "In `clearway.toml`; where it is searched: `clearway config show` says it, with the origin of each value.",
        "Defaults < file < environment < flags.",
        "`clearway reload` or SIGHUP puts a changed configuration in force, but for what needs a restart.",
        "A setting `table.name` is `CLEARWAY_TABLE__NAME` in the environment.",
        'Sizes may be written as `"64MB"`, durations as `"90s"`, `"12h"` or `"30d"`.',
    ]
    docs = docs_of(Config)
    for name, kind in fields_of(Config).items():
        lines += _table(name, kind, docs[name])
    return _text(lines)


def _table(path: str, kind: Type, doc: str) -> Iterator[str]:
    is_list = kind.entry is not None and kind.entry.table is not None
    struct = kind.entry.table if is_list and kind.entry else kind.table
    if struct is None:
        raise TypeError(f"{path}: a setting outside of a table")
    yield from ("", f"## `[[{path}]]`" if is_list else f"## `[{path}]`", "", inspect.cleandoc(struct.__doc__ or ""))
    if doc:
        yield from ("", doc)
    yield from ("", "| setting | is | default | |", "|---|---|---|---|")
    docs = docs_of(struct)
    tables: list[tuple[str, Type]] = []
    defaults = {field.name: _default_of(field) for field in msgspec.structs.fields(struct)}
    for name, inner in fields_of(struct).items():
        if inner.table is not None and not inner.is_optional:
            tables.append((name, inner))
            continue
        value = defaults[name]
        note = " Needs a restart." if inner.needs_restart else ""
        shown = "required" if inner.is_required else "none" if value is None else f"`{as_toml(value, inner)}`"
        yield f"| `{name}` | {_cell(inner.description)} | {_cell(shown)} | {_cell(docs[name] + note)} |"
    for name, inner in tables:
        yield from _table(f"{path}.{name}", inner, docs[name])


def _default_of(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        factory: Callable[[], object] = field.default_factory
        return factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def errors_page() -> str:
    """Every error of the gateway's own."""
    lines = [
        MADE,
        "# Errors",
        "",
        "Errors of the gateway itself carry `x-clearway-error: CODE` and have the shape of the client's own format.",
        "They say `x-should-retry: false` unless waiting helps.",
        "What an upstream answers is passed on as it is, without that header.",
        "A code is never renamed.",
        "",
        "| status | code | when |",
        "|---|---|---|",
    ]
    kinds = [kind for kind in _tree(errors.GatewayError) if "code" in vars(kind)]
    rows = sorted((kind.status, kind.code, _cell(inspect.cleandoc(kind.__doc__ or ""))) for kind in kinds)
    lines += [f"| {status} | `{code}` | {text.partition(' Args:')[0]} |" for status, code, text in rows]
    return _text(lines)


def _tree(kind: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def records_page() -> str:
    """The fields of what the reading commands print with `--json`."""
    lines = [
        MADE,
        "# Records",
        "",
        "What the commands print with `--json`.",
        "Fields are added, never renamed; `null` means that it is not known, which is never the same as 0.",
        "Times are UTC microseconds since 1970, durations microseconds, money nano-dollars (1 USD = 1,000,000,000).",
    ]
    for struct, where in _RECORDS:
        lines += ["", f"## {struct.__name__}", "", inspect.cleandoc(struct.__doc__ or ""), "", where, ""]
        lines += ["| field | is | |", "|---|---|---|"]
        docs = docs_of(struct)
        lines += [
            f"| `{field.name}` | {_cell(_type_name(field.type))} | {_cell(docs.get(field.name, ''))} |"
            for field in msgspec.structs.fields(struct)
        ]
    return _text(lines)


def admin_page() -> str:
    """Every route of the admin API, and every way to be refused."""
    schemas = document()["components"]["schemas"]
    lines = [
        MADE,
        "# The admin API",
        "",
        "How to use it: [admin-api.md](../admin-api.md).",
        "`GET /openapi.json` of a gateway describes it with all types.",
        "",
        "Who may: `anyone`; `owner`: an owner key or a session; `session`: a session only.",
        "Browsers: `none`: nothing is asked of them; `read`: with a session, no page of another origin;",
        "`write`: with a session, a page of ours that shows its token; `sign_in`: no page of another origin at all.",
        "Body: the most bytes that are taken; 0: none.",
        "",
        "| method | path | | who may | browsers | body | answers |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {route.method} | `{route.path}` | {_cell(route.summary)} | {route.auth} | {route.csrf} | {route.max_body} "
        f"| {_answers(route)} |"
        for route in ROUTES
    ]
    lines += ["", "## Codes", "", "| status | code | when |", "|---|---|---|"]
    lines += [f"| {code.status} | `{name}` | {_cell(code.meaning)} |" for name, code in CODES.items()]
    lines += ["", "## Parameters and bodies"]
    for route in ROUTES:
        for kind in (route.query, route.body):
            if kind is not None and msgspec.structs.fields(kind):
                lines += ["", f"### `{route.method} {route.path}`", "", inspect.cleandoc(kind.__doc__ or ""), ""]
                lines += _fields(kind)
    lines += ["", "## Answers"]
    shown = {row for struct, _ in _RECORDS for row in [struct.__name__]} | {"Problem", "Refusal"}
    taken = {kind.__name__ for route in ROUTES for kind in (route.query, route.body) if kind is not None}
    for name, schema in schemas.items():
        if name not in shown | taken and schema.get("properties"):
            lines += ["", f"### {name}", "", inspect.cleandoc(schema.get("description", "")), ""]
            lines += ["| field | |", "|---|---|"]
            lines += [
                f"| `{field}` | {_cell(told.get('description', ''))} |" for field, told in schema["properties"].items()
            ]
    return _text(lines)


def _answers(route: Route) -> str:
    refusals = sorted({CODES[code].status for code in codes_of(route)})
    return f"{route.status}; {', '.join(map(str, refusals))}"


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    docs = docs_of(struct)
    return [
        "| field | |",
        "|---|---|",
        *(f"| `{field.name}` | {_cell(docs.get(field.name, ''))} |" for field in msgspec.structs.fields(struct)),
    ]


def _type_name(kind: object) -> str:
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "NoneType": "null"}
    if isinstance(kind, type) and not hasattr(kind, "__args__"):
        return names.get(kind.__name__, kind.__name__)
    text = re.sub(r"typing\.Literal\[.*\]", "str", str(kind)).replace("NoneType", "None").replace("None", "null")
    for name, word in names.items():
        text = text.replace(name, word)
    return text


def metrics_page() -> str:
    """Every metric of `/metrics`."""
    lines = [
        MADE,
        "# Metrics",
        "",
        "What `GET /metrics` tells; [metrics.md](../metrics.md) says who may ask, and how to read it.",
        "Counters begin at 0 with the process.",
        "A value that has no label of its own is `other`; an empty one stands for none.",
        "Where the library knows how to find it out, `process_…` (memory, CPU, descriptors, start) is there as well.",
        "",
        "| metric | kind | labels | |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{name}` | {metric.kind} | {labels} | {_cell(metric.help)} |")
    return _text(lines)


_CHECK = re.compile(
    r"(?P<id>b\d+): (?P<promise>.+?)\n\n(?P<elsewhere>.+?)\nFormats: (?P<formats>[^\n]+)(?:\nOpen: (?P<open>.+))?",
    re.DOTALL,
)


def checks_page() -> str:
    """Every check of `tests/checks`, from the docstrings of its module and of its tests."""
    rows, details = [], []
    for path in sorted(CHECKS.glob("test_b*.py")):
        tree = ast.parse(path.read_text())
        found = _CHECK.fullmatch(ast.get_docstring(tree) or "")
        if found is None:
            raise ValueError(f"{path.name}: its docstring is not `bN: promise`, what went wrong elsewhere, `Formats:`")
        promises = [_promise(path, node, found["id"]) for node in ast.walk(tree) if _is_test(node)]
        state = f"kept for {found['formats']}" + (f"; open: {found['open']}" if found["open"] else "")
        where = path.relative_to(ROOT).as_posix()
        rows.append(f"| {found['id']} | {_cell(found['promise'])} | `{where}` | {_cell(state)} |")
        details += ["", f"## {found['id']}: {_cell(found['promise'])}", "", _cell(found["elsewhere"]), ""]
        details += [f"- {promise}" for promise in promises]
    lines = [
        MADE,
        "# Checks",
        "",
        "What goes wrong most often in programs of this kind, and what is promised here instead.",
        "Each check is a module of tests that drives the real program; it fails the build.",
        "",
        "| check | promise | tests | state |",
        "|---|---|---|---|",
        *rows,
    ]
    return _text([*lines, *details])


_ROW_ID = re.compile(r"[A-Z]{1,2}\d+|b\d+")


def openai_checks_page() -> str:
    """The promises of OpenAI's formats."""
    gateway, clients = ROOT / "tests" / "gateway", ROOT / "tests" / "clients"
    chat = _format_checks("Chat Completions", "chat-completions.md", CHAT, gateway / "test_chat_sink.py")
    others = gateway / "test_responses_sink.py", clients / "test_codex.py"
    lines = [
        MADE,
        "# Checks of OpenAI's formats",
        "",
        "What a format must do through Clearway, and which tests show it.",
        "Those with a small b are what goes wrong most often in programs of this kind ([checks](checks.md)).",
    ]
    return _text([*lines, "", *chat, "", *_format_checks("Responses", "responses.md", RESPONSES, *others)])


def _format_checks(title: str, page: str, folder: Path, *others: Path) -> list[str]:
    """Every promise of a folder's `acceptance.py`, and which module's tests bear its id."""
    said = runpy.run_path(str(folder / "acceptance.py"))
    acceptance: dict[str, str] = said["ACCEPTANCE"] | said["CHECKS"]
    in_part: dict[str, str] = said["OPEN"]
    borne: dict[str, set[str]] = {}
    for path in (*sorted(folder.glob("test_*.py")), *others):
        for name in _borne_by(path):
            borne.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    unknown = sorted(borne.keys() - acceptance.keys())
    if unknown:
        raise ValueError(f"tests in {folder.name} bear ids that its acceptance.py does not know: {unknown}")
    rows = []
    for name, promise in acceptance.items():
        where = ", ".join(f"`{path}`" for path in sorted(borne.get(name, ())))
        state = f"in part: {in_part[name]}" if name in in_part else "kept" if where else "open"
        rows.append(f"| {name} | {_cell(promise)} | {_cell(state)} | {where} |")
    return [f"## [{title}]({page})", "", "| id | promise | state | tests |", "|---|---|---|---|", *rows]


def _borne_by(path: Path) -> Iterator[str]:
    """Ids that a module's tests bear: at the beginning of a docstring, or as ids of rows."""
    for node in ast.walk(ast.parse(path.read_text())):
        said = ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_test(node):
            head, colon, _ = (ast.get_docstring(node) or "").partition(":")
            said = head if colon else ""
        elif isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
            said = str(node.value.value).partition("-")[0]
        elif isinstance(node, ast.keyword) and node.arg == "ids" and isinstance(node.value, ast.List):
            said = " ".join(
                str(one.value).partition("-")[0] for one in node.value.elts if isinstance(one, ast.Constant)
            )
        yield from (word for word in re.split(r"[ ,]+", said) if _ROW_ID.fullmatch(word))


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def _promise(path: Path, node: ast.AST, check: str) -> str:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(node)
    said = ast.get_docstring(node) or ""
    if not said.startswith(f"{check}: "):
        raise ValueError(f"{path.name}: the docstring of {node.name} does not begin with `{check}: `")
    return _cell(said.removeprefix(f"{check}: "))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _text(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n")) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli_page,
    "reference/settings.md": settings_page,
    "reference/errors.md": errors_page,
    "reference/records.md": records_page,
    "reference/metrics.md": metrics_page,
    "reference/admin-api.md": admin_page,
    "checks.md": checks_page,
    "openai-checks.md": openai_checks_page,
}


if __name__ == "__main__":
    main()
