"""All cases, in the order of the table."""

from bench.case import Case
from bench.cases import cpu

CASES: list[Case] = [*cpu.CASES]

NOT_BUILT = {
    "translated exchange against relayed": "translation",
    "200 KB body stored and redacted, extra CPU": "stored bodies",
}
"""Goals of parts that do not exist yet, and which parts."""
