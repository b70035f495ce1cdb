"""Simon Willison's command line `llm` through the gateway."""

import json
from pathlib import Path

import pytest

from tests.clients.outside import Outside
from tests.clients.stage import MODEL, Stage
from tests.clients.weather import KEPT, REPORT, TOLD, thought

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

# Source: llm 0.36, default_plugins/openai_models.py (read 2026-11-27).
MODELS = """
- model_id: clearway
  model_name: {model}
  api_base: {url}
  api_key_name: clearway
  supports_tools: true
  supports_schema: true
"""
FUNCTIONS = '''
def weather(city: str) -> str:
    """Weather of a city."""
    return f"rain in {city}"
'''


def test_everything(stage: Stage, outside: Outside, common_programs: Path) -> None:
    """Streamed, in a loop of tools that then goes on as a conversation, in a form; its own log has the usage.

    It drops thoughts, and the gateway puts them back, into the conversation that goes on, too.
    """
    settings = outside.home / ".config" / "io.datasette.llm"
    settings.mkdir(parents=True)
    (settings / "extra-openai-models.yaml").write_text(MODELS.format(model=MODEL, url=stage.url))
    (settings / "keys.json").write_text(json.dumps({"clearway": stage.key}))
    llm = (common_programs / "llm", "-m", "clearway")

    assert TOLD == outside.run(*llm, "What is the weather?", "--functions", FUNCTIONS).strip()
    form = outside.run(*llm, "--continue", "--no-stream", "Report.", "--schema", "city, degrees int")
    assert REPORT == json.loads(form)
    logged = json.loads(outside.run(common_programs / "llm", "logs", "--json", "-n", "9"))
    assert [(910, 50)] * 4 == [(entry["input_tokens"], entry["output_tokens"]) for entry in logged]
    assert 700 == json.loads(logged[0]["token_details"])["prompt_tokens_details"]["cached_tokens"]
    assert [KEPT] == stage.model.loops
    goes_on = stage.model.turns[3].asked["messages"]
    assert ["user", "assistant", "user", "assistant", "user", "assistant", "user"] == [one["role"] for one in goes_on]
    assert [*KEPT, [thought(2)]] == [one["content"][:1] for one in goes_on if one["role"] == "assistant"]
    stage.check_ledger()
