"""What a request settles about its answer, what it takes from before, and how its tokens are counted."""

import time

import msgspec
import pytest
from openai.types.responses import Response

from clearway.wire.hub.notes import Refusal
from clearway.wire.responses.form import Called
from tests.responses.requesting import PNG, Json, ask, call, counted, function, message, output, sealed, sent, warnings
from tests.responses.test_sent import AGENTS, FINDS, PATCH_TOOL, SCHEMA, THOUGHT, USER
from tests.upstream_types import MISSING, at

SAID = message("assistant", [{"type": "output_text", "text": "hello", "annotations": []}], id="msg_1")


def _response(echo: Json) -> Response:
    return Response.model_validate(
        {
            **echo,
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "output": [],
            "status": "completed",
        },
        strict=True,
    )


def test_what_is_repeated_by_default() -> None:
    """b12: every member that the SDK's type has of the request is there, with OpenAI's defaults."""
    echo = ask().form.echo
    response = _response(echo)

    ours = {
        "id",
        "object",
        "created_at",
        "model",
        "output",
        "status",
        "error",
        "incomplete_details",
        "completed_at",
        "usage",
    }
    others = {
        "access_programs", "conversation", "image", "input_transformations", "moderation", "prompt",
        "prompt_cache_diagnostics", "prompt_cache_options", "tool_usage",
    }  # fmt: skip
    assert set(Response.model_fields) - ours - others | {"store"} == set(echo)
    assert ("auto", True, 1.0, "disabled", False) == (
        response.tool_choice,
        response.parallel_tool_calls,
        response.temperature,
        response.truncation,
        echo["store"],
    )


def test_what_is_repeated() -> None:
    """b12: what the client said is there as it said it."""
    fields: Json = {
        "instructions": "i",
        "tools": [function("f", strict=False), AGENTS, FINDS, PATCH_TOOL],
        "tool_choice": {"type": "function", "name": "f"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 9,
        "max_tool_calls": 2,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "truncation": "auto",
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "service_tier": "flex",
    }
    echo = ask(**fields).form.echo
    _response(echo)

    assert {name: fields[name] for name in fields} == {name: echo[name] for name in fields}


def test_what_a_call_becomes() -> None:
    """R7, R9, R10: the form says of each tool by the name that was sent what the client calls it."""
    tools = [function("f"), function("a.b"), AGENTS, FINDS, PATCH_TOOL, {"type": "shell"}, {"type": "local_shell"}]
    translated = ask(tools=tools, input=[USER, call("a", "gone", namespace="ns"), output("a")])
    names = [one["name"] for one in sent(translated)["tools"]]

    assert {
        "a_b": Called(name="a.b"),
        "multi_agent_v1__spawn_agent": Called(name="spawn_agent", namespace="multi_agent_v1"),
        "multi_agent_v1__close_agent": Called(name="close_agent", namespace="multi_agent_v1"),
        "tool_search": Called(kind="tool_search", name="tool_search"),
        "apply_patch": Called(kind="custom", name="apply_patch"),
        "shell": Called(kind="shell", name="shell"),
        "local_shell": Called(kind="local_shell", name="local_shell"),
        "ns__gone": Called(name="gone", namespace="ns"),
    } == translated.form.tools
    assert {"f", "ns__gone"} ^ set(translated.form.tools) == set(names)
    assert {"a_b": "a.b", "ns__gone": "gone"}.items() <= translated.plan.names.items()


def test_names_never_meet() -> None:
    """R7, b16: a member of a namespace and a function that would have its name are two tools."""
    translated = ask(tools=[function("multi_agent_v1__close_agent"), AGENTS])
    names = [one["name"] for one in sent(translated)["tools"]]

    assert 3 == len(set(names))
    assert "multi_agent_v1__close_agent" == names[0]
    assert "close_agent" == translated.form.tools[names[2]].name
    assert "multi_agent_v1__close_agent" not in translated.form.tools


def test_an_answer_as_a_call_is_known_by_its_name() -> None:
    """R7, b16: where a call of a namespace's tool is made by a structured answer, the form knows its name."""
    translated = ask("claude-opus-5-5", tools=[AGENTS], tool_choice={"type": "function", "name": "close_agent"})

    assert "multi_agent_v1__close_agent" == translated.plan.emulated
    assert "close_agent" == translated.form.tools[translated.plan.emulated].name


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        pytest.param("claude-sonnet-5-5", {}, (True, False, False), id="b5-default"),
        pytest.param("claude-opus-5-5", {}, (True, True, False), id="b5-always-thinks"),
        pytest.param("claude-sonnet-5-5", {"reasoning": {"summary": "auto"}}, (True, True, False), id="b5-summary"),
        pytest.param(
            "claude-sonnet-5-5", {"include": ["web_search_call.action.sources"]}, (True, False, True), id="b20"
        ),
        pytest.param(
            "claude-sonnet-5-5", {"include": ["web_search_call.results"]}, (True, False, True), id="b20-results"
        ),
    ],
)
def test_what_is_shown(model: str, fields: Json, expected: tuple[bool, bool, bool]) -> None:
    """Thoughts are sealed always, shown where that is wanted or needed; sources of searches where wanted."""
    form = ask(model, **fields).form

    assert expected == (form.seals, form.summarizes, form.sources)


def test_what_was_before_is_put_in_front() -> None:
    """R14: the items of the response before stand in front; its instructions do not go on."""
    history = [message("user", "one"), sealed([THOUGHT]), SAID]
    translated = ask(history=history, previous_response_id="resp_1", instructions="new", input="two")
    body = sent(translated)

    assert ["user", "assistant", "user"] == [turn["role"] for turn in body["messages"]]
    assert THOUGHT == at(body, "messages.1.content.0")
    assert [{"type": "text", "text": "new"}] == body["system"]
    assert "resp_1" == translated.form.echo["previous_response_id"]
    assert translated.form.echo["store"] is True
    assert ask(history=[], store=False).form.echo["store"] is False


def test_a_place_is_that_of_the_client() -> None:
    """R14: what is told of an item names its place in the client's own list, however much stands before it."""
    history = [message("user", "one"), SAID]
    translated = ask(history=history, previous_response_id="resp_1", input=[output("z"), USER])

    assert ["repaired:input[0]=result_without_call"] == warnings(translated)


def test_an_item_that_is_referred_to() -> None:
    """R14: a reference stands for the item that is kept under its id."""
    given: list[Json] = [USER, {"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"}, USER]

    body = sent(ask(references={"msg_1": SAID, "msg_2": SAID}, input=given))
    assert [{"type": "text", "text": "hello"}] * 2 == at(body, "messages.1.content")
    with pytest.raises(Refusal) as refused:
        ask(references={"msg_1": SAID}, input=given)
    assert "input[2]" == refused.value.param


def test_a_thought_that_is_referred_to() -> None:
    """R14: where it is not kept the turn goes on without it, and it is told."""
    given: list[Json] = [USER, {"type": "item_reference", "id": "rs_1"}, call("t", "f"), output("t")]
    kept = ask(references={"rs_1": sealed([THOUGHT])}, input=given)
    lost = ask(input=given)

    assert THOUGHT == at(sent(kept), "messages.1.content.0")
    assert "tool_use" == at(sent(lost), "messages.1.content.0.type")
    assert ["dropped:input[1]=reasoning without encrypted_content"] == warnings(lost)


def test_tokens_are_counted() -> None:
    """R19: what is counted is the prompt that would be sent, and nothing of the answer."""
    fields: Json = {"instructions": "s", "tools": [function("f")], "reasoning": {"effort": "low"}, "temperature": 0.5}
    body = msgspec.json.decode(counted("claude-sonnet-4-5", user="u", **fields).body)
    whole = sent(ask("claude-sonnet-4-5", user="u", **fields))

    assert {"model", "system", "tools", "messages", "thinking"} == set(body)
    assert body == {name: whole[name] for name in body}


def test_codex() -> None:
    """R7, R12, R15: what Codex sends for a model of Claude's is served, with only its own search left out."""
    translated = ask(
        codex=True,
        input=[
            message("developer", [{"type": "input_text", "text": "You are Codex."}], id="msg_1"),
            message("developer", [{"type": "input_text", "text": "Skills."}]),
            message("user", [{"type": "input_text", "text": "<environment_context>"}]),
            message(
                "user",
                [
                    {"type": "input_text", "text": "<image name=a path=b>"},
                    {"type": "input_image", "image_url": PNG, "detail": "high"},
                    {"type": "input_text", "text": "</image>"},
                ],
            ),
            {**sealed([THOUGHT]), "content": None},
            call("toolu_1", "exec_command", '{"cmd": "ls"}', id="fc_1", status="completed"),
            call("toolu_2", "close_agent", "", namespace="multi_agent_v1"),
            output("toolu_1", "x", id="fco_1"),
            output("toolu_2", "unsupported call"),
        ],
        tools=[function("exec_command", strict=False), AGENTS, {"type": "web_search", "external_web_access": False}],
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning={"summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="t",
        client_metadata={"x-codex-installation-id": "i"},
    )
    body = sent(translated)

    assert ["You are Codex.", "Skills."] == [block["text"] for block in body["system"]]
    assert ["user", "assistant", "user"] == [turn["role"] for turn in body["messages"]]
    assert ["thinking", "tool_use", "tool_use"] == [block["type"] for block in body["messages"][1]["content"]]
    assert "multi_agent_v1__close_agent" == at(body, "messages.1.content.2.name")
    assert {"type": "adaptive", "display": "summarized"} == body["thinking"]
    assert MISSING is at(body, "tools.3")
    assert ["dropped:tools[2]=external_web_access is false"] == warnings(translated)
    assert translated.form.is_codex
    assert translated.is_stream


def test_codex_that_takes_claude_for_a_model_of_openai() -> None:
    """R8, R10: under an alias it sends its tools in an item, in namespaces, with custom ones among them."""
    spaces = {"type": "namespace", "name": "functions", "description": "", "tools": [{**PATCH_TOOL, "name": "exec"}]}
    translated = ask(
        codex=True,
        input=[
            {"type": "additional_tools", "role": "developer", "tools": [spaces, AGENTS]},
            message("developer", "You are Codex."),
            USER,
            {"type": "custom_tool_call", "call_id": "a", "name": "exec", "namespace": "functions", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "x"},
        ],
        reasoning={"effort": "medium", "context": "all_turns"},
        parallel_tool_calls=False,
    )
    body = sent(translated)

    assert "functions__exec" == at(body, "messages.1.content.0.name") == at(body, "tools.0.name")
    assert {"input": "ls"} == at(body, "messages.1.content.0.input")
    assert Called(kind="custom", name="exec", namespace="functions") == translated.form.tools["functions__exec"]
    assert "You are Codex." == at(body, "system.0.text")
    assert {"type": "auto", "disable_parallel_tool_use": True} == body["tool_choice"]


def test_tools_that_were_found_stay() -> None:
    """R9: what a search of tools found is there in every later turn, behind what was there before."""
    found = {
        "type": "tool_search_output",
        "call_id": "a",
        "execution": "client",
        "tools": [function("g"), function("f")],
    }
    items = [USER, {"type": "tool_search_call", "call_id": "a", "execution": "client", "arguments": {"n": 1}}, found]
    once = sent(ask(tools=[function("f", description="own"), FINDS], input=items))
    later = sent(ask(tools=[function("f", description="own"), FINDS], input=[*items, call("b", "g"), output("b")]))

    assert ["f", "tool_search", "g"] == [one["name"] for one in once["tools"]]
    assert once["tools"] == later["tools"]
    assert "own" == at(later, "tools.0.description")


def test_much_of_the_same_is_no_burden() -> None:
    """Many items, calls, tools and names: work grows with the size alone."""
    many = 10_000
    calls = [call(f"c{number}", "f") for number in range(many)]
    outputs: list[Json] = [{"type": "function_call_output", "name": "f", "output": "x"} for _ in range(many)]
    tools = [function("." * 100 + chr(0x4E00 + number)) for number in range(many)]
    extra = [{"type": "additional_tools", "role": "developer", "tools": [function("f")]} for _ in range(many)]
    allowed = [{"type": "function", "name": "x"}, *({"type": "function", "name": one["name"]} for one in tools)]
    began = time.process_time()
    translated = ask(
        input=[USER, *extra, *calls, *outputs, *([SAID] * many)],
        tools=tools,
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": allowed},
    )

    assert time.process_time() - began < 5
    assert many + 2 > len(translated.plan.names) >= many
