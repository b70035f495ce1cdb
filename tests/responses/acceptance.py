"""What Responses through Clearway must do, each promise by its id.

The tests bear the ids: as ids of rows, or at the beginning of a docstring. `make docs` writes
`docs/responses-checks.md` from both; what no test bears is shown as open there.
"""

ACCEPTANCE: dict[str, str] = {
    "G8": "the same request is the same bytes upstream",
    "G9": "a conversation that goes on keeps its beginning, to the byte",
    "R1": "a text alone is a message of the user",
    "R2": "`instructions` and developer items are the system prompt, in that order",
    "R3": "messages need no type",
    "R4": "calls and their outputs are pairs; images and files in outputs are kept",
    "R5": "outputs stand directly behind their calls, in the order of these, before any text",
    "R6": "a JSON schema becomes a structured answer",
    "R7": "tools of a namespace are offered, and called by name and namespace apart",
    "R8": "tools that an item brings are offered; the request's own win",
    "R9": "a search of tools that the client runs is called as one, and what it finds can be called from then on",
    "R10": "a custom tool takes and gives its raw text, in the history too",
    "R11": "tools that only OpenAI has are refused; for Codex they are left out, and it is told",
    "R12": "a search without access to the web is left out, and it is told",
    "R13": "background, conversations and stored prompts are refused by name",
    "R14": "`previous_response_id` continues what was kept for the same key, and is refused where nothing is kept",
    "R15": "thoughts that we sealed go back as they came, to the byte",
    "R16": "thoughts of another service, key or model are left out, and it is told",
    "R17": "log probabilities are refused",
    "R18": "a prompt is never cut in silence",
    "R19": "the tokens of a prompt are counted by the upstream",
    "RR1": "events come in OpenAI's order, and are counted without a gap",
    "RR2": "thoughts, text and calls are items in their order, the same in the events and at the end",
    "RR3": "thoughts that are not shown are carried all the same",
    "RR4": "an answer that was cut off is incomplete, and no call of it is told as whole",
    "RR5": "a refusal is told as one",
    "RR6": "a failure in the stream is `response.failed`, and nothing comes behind it",
    "RR7": "silence is filled with `response.in_progress`, never before `response.created`",
    "RR8": "usage has all its members, and cached tokens are part of the input",
    "RR9": "an answer that is not streamed is the response at the end of the stream",
    "RR10": "what is cited is told in events, and the same at the end",
    "X1": "Codex answers with a model of Claude's",
    "X2": "a command that Codex runs comes back, with what was thought before it",
    "X3": "Codex with a name of OpenAI's applies its patches",
    "X4": "Codex tries a WebSocket once, and goes on at once",
    "X5": "Codex waits through a silence",
    "X6": "Codex says that the model is at capacity",
    "X7": "Codex says that there is no more room",
    "X8": "Codex says that the quota is used up",
    "X9": "Codex gets its answer in a form",
    "X10": "Codex shows images",
    "X11": "Codex calls its agents",
    "X12": "Codex goes on after a stream that was cut off",
}
"""By id, in the order of the page."""

CHECKS: dict[str, str] = {
    "b1": "usage of a stream is the last word of each count, told once",
    "b2": "cached tokens are part of the input, and of nothing else",
    "b3": "calls whose pieces come mixed are whole, each by its index",
    "b4": "outputs stand directly behind their calls; what has no partner is repaired",
    "b5": "thoughts survive the round trip; where a client drops them the turn works all the same",
    "b6": "thoughts without text, and hidden ones, are kept",
    "b7": "an error in the stream is told, and nothing is made up behind it",
    "b8": "however a stream is cut, the events are the same",
    "b9": "errors have the status, type and code of this format",
    "b11": "every role is read, and none holds what it cannot",
    "b12": "a response has every member that programs read, and repeats its request",
    "b13": "cache breakpoints stay where they were put",
    "b15": "images and documents are kept, in outputs too",
    "b16": "schemas, names and choices that Claude refuses are made into ones that it takes",
    "b17": "what was cut off is never told as complete",
    "b18": "bounds, budgets and sampling fit together, and every change is told",
    "b19": "a structured answer is held to its schema by the means that the model has",
    "b20": "the upstream's own search is no call of the client's; what others ran stays as words",
    "b21": "a client that leaves ends its request upstream, and is charged for what was used",
    "b23": "a compressed request is read like any other",
    "b24": "whom to ask and by what credential is never taken from a request",
}
"""The checks of this kind of program, for this format."""

OPEN: dict[str, str] = {
    "R14": "the translator's part: whose response it is, and where it is kept, is the gateway's",
    "R19": "the translator's part: the route is not there yet",
}
"""What is kept in part only, and what is missing of it."""
