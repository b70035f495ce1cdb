"""What kind of machine and programs a figure comes from, for those who read it later.

Used by bench/check.py and bench/run.py.
"""

import os
import platform
import subprocess
from pathlib import Path

from bench.places import need


def machine() -> str:
    """`2 cores of AMD EPYC, Linux x86_64, Python 3.11.7, nginx/1.22.1`."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    said = subprocess.run([need("nginx", "nginx"), "-v"], capture_output=True, text=True, check=True).stderr
    version = said.strip().rpartition(" ")[2]
    programs = f"Python {platform.python_version()}, {version}"
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.machine()}, {programs}"
