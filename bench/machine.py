"""What kind of machine and programs a figure comes from, for those who read it later.

Used by bench/check.py, bench/run.py and bench/soak.
"""

import os
import platform
import subprocess
from pathlib import Path

from bench.places import Missing, need


def machine() -> str:
    """`2 cores of AMD EPYC, Linux x86_64, Python 3.11.7`, and nginx's version where it is installed."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    cores = f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.machine()}"
    return ", ".join([cores, f"Python {platform.python_version()}", *_nginx()])


def _nginx() -> list[str]:
    try:
        program = need("nginx", "nginx")
    except Missing:
        return []
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return [said.strip().rpartition(" ")[2]]
