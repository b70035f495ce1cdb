"""Fuzz one parser: `python -m tests.fuzz.run --target sse --seconds 600`.

The loop beside this file is what CI runs; `--engine atheris` takes libFuzzer's
instead, where `pip install atheris` worked. Says what happened in one line of JSON;
findings become files of the corpus with `--save`. Exit status 1: findings.
"""

import argparse
import hashlib
import importlib
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.fuzz.words import WORDS

CORPUS = Path(__file__).parent / "corpus"
_SHRINK_S = 8.0


class Told(msgspec.Struct):
    """What is printed of a run."""

    target: str
    seed: int
    seconds: float
    inputs: int
    places: int
    grown: int
    findings: list[str]


def seeds(target: str) -> list[bytes]:
    """The corpus of a target, in order of names."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


def main() -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=[*WORDS, "all"], required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.monotonic_ns() % (1 << 32))
    parser.add_argument("--engine", choices=["loop", "atheris"], default="loop")
    parser.add_argument("--save", action="store_true", help="keep findings in the corpus")
    asked = parser.parse_args()
    names = list(WORDS) if asked.target == "all" else [asked.target]
    if asked.engine == "atheris":
        return _with_atheris(names[0], int(asked.seconds), save=asked.save)
    return max(_with_loop(name, asked.seconds, asked.seed, save=asked.save) for name in names)


def _with_loop(name: str, seconds: float, seed: int, *, save: bool) -> int:
    # Not at the top: atheris must be there first to see the modules being loaded.
    loop = importlib.import_module("tests.fuzz.loop")
    target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
    begin = time.monotonic()
    report = loop.fuzz(target, seeds(name), WORDS[name], seconds=seconds, seed=seed)
    took_s = round(time.monotonic() - begin, 1)
    findings = []
    for finding in report.findings:
        small = loop.shrink(target, finding, seconds=_SHRINK_S / len(report.findings))
        findings.append(f"{finding.what}: {small[:4000]!r}")
        if save:
            (CORPUS / name / f"found-{hashlib.sha256(small).hexdigest()[:8]}").write_bytes(small)
    told = Told(name, seed, took_s, report.inputs, report.places, report.grown, findings)
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    sys.stdout.flush()
    return 1 if findings else 0


def _with_atheris(name: str, seconds: int, *, save: bool) -> int:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["clearway"]):
        target = importlib.import_module("tests.fuzz.targets").TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS[name] if len(word) < 100))
        grown = Path(folder) / "corpus"
        grown.mkdir()
        artifacts = CORPUS / name / "found-" if save else Path(folder) / "found-"
        options = [f"-max_total_time={seconds}", f"-dict={words}", f"-artifact_prefix={artifacts}", "-timeout=10"]
        atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(grown), str(CORPUS / name)], target)
        atheris.Fuzz()  # ends the process, with findings by a status of its own
    return 0


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
