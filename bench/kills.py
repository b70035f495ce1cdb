"""The kill loop by hand: many kills under load, then a start with very many rows.

Prints what was found as JSON; ends with 1 where something was lost, doubled or wrong.
`nice python -m bench.kills [--kills N] [--longest S] [--rows N] [--seed N]`
"""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from tests.chaos.filling import fill
from tests.chaos.killing import Figures, KillLoop
from tests.gateway_process import SIM, GatewayProcess
from tests.relay.wire_client import Client, prompt

STARTS = 5
LEFT_OPEN = 500
READY_S = 2.0


def main() -> None:
    """Run both and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--longest", type=float, default=9.0, help="seconds of load before a kill, at most (default 9)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the long ledger (default 1000000)")
    parser.add_argument("--seed", type=int, default=int(time.monotonic_ns()), help="of the moments")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearway-kills-") as directory:
        (Path(directory) / "kills").mkdir()
        loop = KillLoop(Path(directory) / "kills", random.Random(chosen.seed))  # noqa: S311  # moments, not secrets
        figures = loop.run(chosen.kills, longest_s=chosen.longest)
        # Told now: it took long.
        print(json.dumps(_told(figures)), file=sys.stderr)
        (Path(directory) / "long").mkdir()
        long = _starts(Path(directory) / "long", chosen.rows) if chosen.rows else []
    told = {"date": _today().isoformat(), "seed": chosen.seed, **_told(figures)}
    told["long_ledger"] = {"rows": chosen.rows, "swept": LEFT_OPEN, "ready_s": [round(one, 2) for one in long]}
    print(json.dumps(told, indent=2))
    bad = [*figures.lost, *figures.doubled, *figures.wrong]
    late = [one for one in (*figures.ready_s, *long) if one > READY_S]
    if bad or late:
        print(f"error: {len(bad)} exchanges are not as promised, {len(late)} starts took too long", file=sys.stderr)
        raise SystemExit(1)


def _today() -> date:
    return datetime.fromtimestamp(time.time_ns() / 1e9, tz=UTC).date()


def _told(figures: Figures) -> dict[str, object]:
    return {
        "kills": figures.kills,
        "exchanges": figures.exchanges,
        "acknowledged": figures.acknowledged,
        "lost": figures.lost,
        "doubled": figures.doubled,
        "wrong": figures.wrong,
        "swept": figures.swept,
        "swept_tokens": figures.swept_tokens,
        "billed_for_swept": figures.billed_tokens,
        "killed_before_the_commit": figures.unseen,
        "ready_p50_s": round(median(figures.ready_s), 2),
        "ready_max_s": round(max(figures.ready_s), 2),
    }


def _starts(home: Path, rows: int) -> list[float]:
    """Seconds to the ready line with a long ledger; the first start sweeps, each ends by a kill."""
    gateway = GatewayProcess(home, SIM)
    with gateway:
        key = gateway.new_key("one")
        with Client(gateway.url) as client:
            client.ask(prompt(stream=False), [("x-api-key", key)])
            client.read_whole()
        gateway.settled(1)
    fill(gateway.data_dir, rows, left_open=LEFT_OPEN)
    taken = []
    for _ in range(STARTS):
        taken.append(gateway.start().ready_s)
        gateway.kill()
    return taken


if __name__ == "__main__":
    main()
