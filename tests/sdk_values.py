"""Values of the types of an SDK, at random: what a client could send that keeps to them.

The types are `TypedDict`s with unions, literals and lists in them; a strategy is made of each by what
its hints say. Members of some names are drawn from what is given for the name, so that ids meet and
addresses are ones. Used by the properties of translated formats.
"""

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from hypothesis import strategies as st
from typing_extensions import (
    get_type_hints,
    is_typeddict,
)

Values = st.SearchStrategy[Any]
JSON: Values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=4,
)
_PLAIN: dict[Any, Values] = {
    str: st.text(max_size=6),
    int: st.integers(0, 9),
    float: st.floats(0, 1),
    bool: st.booleans(),
    type(None): st.none(),
    object: JSON,
    Any: JSON,
}
_REQUIRED: Any = Required
_LISTS = {list, Iterable, Sequence}


class Maker:
    """Makes strategies.

    Args:
        named: For members of these names.
        without: Types of unions, by name, that are never drawn.
    """

    def __init__(self, named: Mapping[str, Values], without: Iterable[str] = ()) -> None:
        self._named = named
        self._without = frozenset(without)
        self._made: dict[Any, Values] = {}

    def of(self, kind: Any) -> Values:  # noqa: ANN401  # any type at all
        """Values of a type."""
        if kind in _PLAIN:
            return _PLAIN[kind]
        if is_typeddict(kind):
            if kind not in self._made:
                self._made[kind] = st.deferred(lambda: self._record(kind))
            return self._made[kind]
        return self._composed(get_origin(kind), get_args(kind))

    def _composed(self, origin: object, inner: tuple[Any, ...]) -> Values:
        if origin is Literal:
            return st.sampled_from(inner)
        if origin in {Required, NotRequired, Annotated}:
            return self.of(inner[0])
        if origin in {Union, types.UnionType}:
            kept = [one for one in inner if getattr(one, "__name__", "") not in self._without]
            return st.one_of([self.of(one) for one in kept])
        if origin in {dict, Mapping}:
            return st.dictionaries(st.text(max_size=4), self.of(inner[1]), max_size=2)
        if origin in _LISTS:
            return st.lists(self.of(inner[0]), max_size=3)
        raise TypeError(origin)

    def _record(self, kind: Any) -> Values:  # noqa: ANN401  # a TypedDict
        hints = get_type_hints(kind, include_extras=True)
        required = {name for name, hint in hints.items() if get_origin(hint) == _REQUIRED}
        members = {name: self._named[name] if name in self._named else self.of(hint) for name, hint in hints.items()}
        return st.fixed_dictionaries(
            {name: members[name] for name in hints if name in required},
            optional={name: members[name] for name in hints if name not in required},
        )
