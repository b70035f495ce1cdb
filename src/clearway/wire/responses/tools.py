"""Tools as Responses says them, from wherever a request has them. Pure.

Owns what becomes of each type: functions and custom tools, alone or in a namespace; those
that the client runs itself (`tool_search`, `local_shell`, `shell`, `apply_patch`), which are
functions of a form that is known here; the search of the web, which the upstream has; what
OpenAI hosts, which is refused, or left out where the client offers tools that it can do without.
Source: `ToolParam` of the `openai` SDK 3.x, and what Codex was measured to send (read 2026-11-21).
Used by request.py.
"""

from collections.abc import Callable, Iterable

import msgspec

from clearway.wire.hub.caching import marker
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.tools import SEARCH, Place, Tool, search_block
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import listed, typed
from clearway.wire.responses.form import Called
from clearway.wire.responses.own import APPLY_PATCH, LOCAL_SHELL, SHELL, OwnTool
from clearway.wire.responses.types import CustomTool, FunctionTool, NamespaceTool, SearchTool, ShellTool, TypedTool
from clearway.wire.responses.types import WebSearchTool as _WebSearch

_JOINT = "::"
"""Between a namespace and a name; becomes `__` in the name that is sent."""
_SEARCHING = "Searches for more tools."


def key_of(name: str, namespace: str | None) -> str:
    """What a tool is called within the gateway: no two of a request have the same."""
    return f"{namespace}{_JOINT}{name}" if namespace else name


class Toolbox:
    """The tools of one request.

    Args:
        notes: Where changes are told.
        drops_hosted: What cannot be served is left out, and told; otherwise it is refused.
        most: Calls of tools that the upstream runs.
    """

    def __init__(self, notes: Notes, *, drops_hosted: bool, most: int | None) -> None:
        self._notes = notes
        self._drops_hosted = drops_hosted
        self._most = most
        self._is_late = False
        self.tools: list[Tool] = []
        self.called: dict[str, Called] = {}
        """What is called, by the key of the tool."""
        self.by_name: dict[str, list[str]] = {}
        """The keys, by the client's name alone."""
        self.search: Block | None = None
        """The upstream's search of the web."""
        self.dropped: set[str] = set()
        """Types that were left out."""

    def take(self, given: object, where: str) -> None:
        """Those of the request itself.

        Raises:
            Refusal: A tool that cannot be served.
        """
        for place, raw in enumerate(listed(given, where)):
            self._add(raw, f"{where}[{place}]")

    def take_late(self, given: Iterable[object], where: str) -> None:
        """Those that an item brings: what is there already stays as it is.

        Raises:
            Refusal: A tool that cannot be served.
        """
        self._is_late = True
        for place, raw in enumerate(given):
            self._add(raw, f"{where}[{place}]")

    def _add(self, raw: object, where: str) -> None:
        kind = typed(raw, TypedTool, where).type
        reader = _READERS.get(kind)
        if reader is not None:
            reader(self, raw, where)
        elif kind.startswith("web_search"):
            self._web_search(typed(raw, _WebSearch, where), kind, where)
        else:
            self._hosted(kind, where)

    def _keep(self, tool: Tool, called: Called) -> None:
        is_known = tool.name in self.called
        if is_known and self._is_late:
            return
        self.tools.append(tool)
        if not is_known:
            self.called[tool.name] = called
            self.by_name.setdefault(called.name, []).append(tool.name)

    def _function(self, raw: object, where: str, namespace: str | None = None, about: str = "") -> None:
        given = typed(raw, FunctionTool, where)
        self._unkept(given, where)
        if given.output_schema:
            self._notes.add("ignored", f"{where}.output_schema")
        tool = Tool(
            name=self._key(given.name, namespace, where),
            where=where,
            description=_about(about, given.description),
            schema=given.parameters,
            is_strict=bool(given.strict),
            cache_control=marker({"cache_control": given.cache_control}, where, self._notes),
        )
        self._keep(tool, Called(name=given.name, namespace=namespace))

    def _custom(self, raw: object, where: str, namespace: str | None = None, about: str = "") -> None:
        given = typed(raw, CustomTool, where)
        self._unkept(given, where)
        description = _about(about, given.description)
        form = given.format
        if form is not None and form.type == "grammar":
            self._notes.add("not_enforced", f"{where}.format", "grammar")
            grammar = f"The text must follow this {form.syntax} grammar:\n{form.definition}"
            description = _about(description, grammar)
        tool = Tool(
            name=self._key(given.name, namespace, where),
            where=where,
            description=description,
            is_custom=True,
            cache_control=marker({"cache_control": given.cache_control}, where, self._notes),
        )
        self._keep(tool, Called(kind="custom", name=given.name, namespace=namespace))

    def _namespace(self, raw: object, where: str) -> None:
        given = typed(raw, NamespaceTool, where)
        # Told once, with the first: it is about all of them.
        about = f"{given.name}: {given.description}" if given.description else ""
        for place, member in enumerate(given.tools):
            at = f"{where}.tools[{place}]"
            kind = typed(member, TypedTool, at).type
            if kind == "custom":
                self._custom(member, at, given.name, about)
            elif kind == "function":
                self._function(member, at, given.name, about)
            else:
                raise Refusal(f"{at}.type", f"a namespace holds no tools of the type {kind[:40]!r}")
            about = ""

    def _tool_search(self, raw: object, where: str) -> None:
        given = typed(raw, SearchTool, where)
        if given.execution != "client":
            # Nothing is left to be found: tools that would be loaded later are all there.
            self._notes.add("approximated", where, "all tools are loaded")
            self.dropped.add("tool_search")
            return
        tool = Tool(
            name="tool_search", where=where, description=given.description or _SEARCHING, schema=given.parameters
        )
        self._keep(tool, Called(kind="tool_search", name="tool_search"))

    def _shell(self, raw: object, where: str) -> None:
        environment = typed(raw, ShellTool, where).environment or {}
        if environment.get("type", "local") != "local":
            self._hosted("shell", f"{where}.environment")
            return
        if environment.get("skills"):
            self._notes.add("ignored", f"{where}.environment.skills")
        self._own(SHELL, where)

    def _local_shell(self, raw: object, where: str) -> None:
        del raw
        self._own(LOCAL_SHELL, where)

    def _apply_patch(self, raw: object, where: str) -> None:
        del raw
        self._own(APPLY_PATCH, where)

    def _own(self, own: OwnTool, where: str) -> None:
        tool = Tool(name=own.kind, where=where, description=own.description, schema=own.schema)
        self._keep(tool, Called(kind=own.kind, name=own.kind))

    def _web_search(self, given: _WebSearch, kind: str, where: str) -> None:
        if given.external_web_access is False:
            # A search within what OpenAI keeps is not a search of the web: the client wants none.
            self._notes.add("dropped", where, "external_web_access is false")
            self.dropped.add(kind)
            return
        if given.search_context_size not in (None, "medium"):
            self._notes.add("ignored", f"{where}.search_context_size")
        if given.search_content_types not in (None, ["text"]):
            self._notes.add("ignored", f"{where}.search_content_types")
        place = None
        if given.user_location is not None:
            at = f"{where}.user_location"
            place = msgspec.to_builtins(typed(given.user_location, Place, at))
        domains = given.filters.allowed_domains if given.filters is not None else None
        search = search_block(place or None, domains, self._most)
        if self._is_late and self.search is not None:
            return
        if self.search not in (None, search):
            raise Refusal(where, "there is another search of the web")
        self.search = search

    def _hosted(self, kind: str, where: str) -> None:
        if not self._drops_hosted:
            hint = "leave it out; functions, custom tools, namespaces and web_search are served"
            message = f"tools of the type {kind[:40]!r} are OpenAI's own and are not served"
            raise Refusal(f"{where}.type", message, "unsupported_value", hint=hint)
        self._notes.add("dropped", where, kind[:40])
        self.dropped.add(kind)

    def _key(self, name: str, namespace: str | None, where: str) -> str:
        if not name:
            raise Refusal(f"{where}.name", "it is empty")
        return key_of(name, namespace)

    def _unkept(self, given: FunctionTool | CustomTool, where: str) -> None:
        # What an item brings is loaded by that.
        if given.defer_loading and not self._is_late:
            self._notes.add("ignored", f"{where}.defer_loading")
        if given.is_async:
            self._notes.add("ignored", f"{where}.async")
        if given.allowed_callers not in (None, [], ["direct"]):
            self._notes.add("ignored", f"{where}.allowed_callers")

    def finish(self) -> None:
        """All tools are there.

        Raises:
            Refusal: Two of them would have the same name upstream.
        """
        if self.search is None:
            if self._most is not None:
                self._notes.add("ignored", "max_tool_calls")
            return
        other = next((tool for tool in self.tools if tool.name == SEARCH), None)
        if other is not None:
            raise Refusal(other.where, f"the search of the web has the name {SEARCH} already")


def _about(before: str, text: str | None) -> str:
    return f"{before}\n\n{text or ''}".strip()


_READERS: dict[str, Callable[[Toolbox, object, str], None]] = {
    "function": Toolbox._function,  # noqa: SLF001  # a table of its own methods
    "custom": Toolbox._custom,  # noqa: SLF001
    "namespace": Toolbox._namespace,  # noqa: SLF001
    "tool_search": Toolbox._tool_search,  # noqa: SLF001
    "shell": Toolbox._shell,  # noqa: SLF001
    "local_shell": Toolbox._local_shell,  # noqa: SLF001
    "apply_patch": Toolbox._apply_patch,  # noqa: SLF001
}
