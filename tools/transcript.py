"""Writes into README.md what the commands really print, from a run of the demo.

The places are between `<!-- transcript: NAME -->` and `<!-- end -->`. `--check`
runs the demo too and fails where what is printed has another form: times, ids
and amounts may differ, columns and kinds of lines may not. Used by `make docs`.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CLEARWAY = Path(sys.executable).with_name("clearway")
_WIDTH = "112"
_PLACE = re.compile(r"(<!-- transcript: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write the places, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail where the form differs")
    check = parser.parse_args().check
    said = transcripts()
    before = README.read_text()
    after = _PLACE.sub(lambda place: place[1] + said[place[2]] + place[4], before)
    if not check:
        README.write_text(after)
    elif forms(before) != forms(after):
        print("error: README.md shows what the commands no longer print; run: make docs", file=sys.stderr)
        raise SystemExit(1)


def transcripts() -> dict[str, str]:
    """What each command prints, by the name of its place."""
    with tempfile.TemporaryDirectory() as home:
        data = f"{home}/data"
        demo = _run(home, "--data-dir", data, "demo", "--once")
        rows = [json.loads(line) for line in _run(home, "--data-dir", data, "log", "--json").splitlines()]
        newest = max((row for row in rows if row["stream"] and row["outcome"] == "ok"), key=lambda row: row["id"])
        ref = newest["id"][:13]
        return {
            "demo": _block(("clearway demo", demo)),
            "usage": _block(("clearway usage --by client", _run(home, "--data-dir", data, "usage", "--by", "client"))),
            "show": _block((f"clearway show {ref}", _run(home, "--data-dir", data, "show", ref))),
        }


def _run(home: str, *arguments: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", "COLUMNS": _WIDTH, "NO_COLOR": "1"}
    done = subprocess.run(
        [CLEARWAY, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def _block(*parts: tuple[str, str]) -> str:
    lines = [line for command, said in parts for line in (f"$ {command}", *said.splitlines())]
    return "\n".join(["```console", *(line.rstrip() for line in lines), "```", ""])


def forms(text: str) -> list[tuple[str, set[str]]]:
    """The kinds of lines of each place: words stay, what holds a digit is one sign."""
    return [(place[2], {_form(line) for line in place[3].splitlines()}) for place in _PLACE.finditer(text)]


def _form(line: str) -> str:
    words = ["#" if re.search(r"\d", word) or word in ("-", "≈$0", "$0") else word for word in line.split()]
    return re.sub(r"#( #)*", "#", " ".join(words))


if __name__ == "__main__":
    main()
