"""docs/simulated-model.md lists what there is."""

import re
from pathlib import Path

from tests.sim.asking import ask, make_sim

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulated-model.md"
TOOL = {"name": "Bash", "input_schema": {"type": "object"}}


async def test_every_directive_is_documented() -> None:
    """The table has the directives that an unknown one is answered with, and no other."""
    refused = await ask(make_sim(), "sim:unknown")
    known = str(refused.error()["message"]).partition("there are ")[2].split(", ")
    documented = re.findall(r"^\| `sim:([a-z-]+)[ `]", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(known) == sorted(documented)


async def test_the_example_works() -> None:
    """The tool call that is shown is one."""
    (example,) = re.findall(r"^```\n(sim:tool .*)\n```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    message = (await ask(make_sim(), example, tools=[TOOL])).message()

    assert message.stop_reason == "tool_use"
