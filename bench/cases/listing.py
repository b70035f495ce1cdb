"""All cases, in the order of the table."""

from bench.case import Case
from bench.cases import conversation, cpu, gone, memory, scale

CASES: list[Case] = [*cpu.CASES, *conversation.CASES, *scale.CASES, *gone.CASES, *memory.CASES]

NOT_BUILT = {
    "200 KB body stored and redacted, extra CPU": "stored bodies",
}
"""Goals of parts that do not exist yet, and which parts."""
