"""instructor against a gateway; prints one JSON object with what came back.

Run by tests/clients/test_instructor.py in an environment of its own; what is asked is its only argument, in JSON.
"""

import json
import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel

ASKED = json.loads(sys.argv[1])
MESSAGES = [{"role": "user", "content": "Report."}]


class Report(BaseModel):
    """A form."""

    city: str
    degrees: int


def form(mode: instructor.Mode, model: str) -> dict[str, object]:
    """A form in one of its modes, with what was used."""
    client = instructor.from_openai(OpenAI(base_url=ASKED["url"], api_key=ASKED["key"], max_retries=0), mode=mode)
    made, completion = client.chat.completions.create_with_completion(
        model=model, messages=MESSAGES, response_model=Report, max_retries=0
    )
    usage = completion.usage
    used = [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens]
    return {"form": made.model_dump(), "usage": used}


def partial(mode: instructor.Mode) -> list[dict[str, object]]:
    """The form as it fills."""
    client = instructor.from_openai(OpenAI(base_url=ASKED["url"], api_key=ASKED["key"], max_retries=0), mode=mode)
    return [
        made.model_dump()
        for made in client.chat.completions.create_partial(
            model=ASKED["model"], messages=MESSAGES, response_model=Report
        )
    ]


def refused() -> str:
    """What a wrong key raises."""
    client = instructor.from_openai(OpenAI(base_url=ASKED["url"], api_key=ASKED["key"] + "_", max_retries=0))
    try:
        client.chat.completions.create(model=ASKED["model"], messages=MESSAGES, response_model=Report, max_retries=0)
    except Exception as error:  # noqa: BLE001  # whatever it is
        return str(error)
    return ""


MODES = [instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA, instructor.Mode.JSON]
print(  # noqa: T201
    json.dumps(
        {
            "forms": {mode.name: form(mode, ASKED["model"]) for mode in MODES},
            "older": {mode.name: form(mode, ASKED["older"]) for mode in MODES},
            "partial": partial(instructor.Mode.TOOLS),
            "refused": refused(),
        }
    )
)
