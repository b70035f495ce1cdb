"""Keys through the admin API: listed, made, changed, revoked, rotated.

Owns what a wish may say beyond its type: printable labels, known upstreams, a time to
come. The ledger keeps and notes. Used by server/admin/routes.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from clearway.core.budget import Budget, BudgetError, parse_budget, show_budget
from clearway.keys.model import Key, KeyChange, KeySpec, NewKey
from clearway.ledger.administration import KeyQuery, KeyUse
from clearway.limits.protocol import BudgetState
from clearway.server.admin.answers import BudgetAnswer, BudgetList, KeyAnswer, Keys, NewKeyAnswer
from clearway.server.admin.asks import BudgetWish, KeyPage, KeyRevision, KeyWish, Rotation
from clearway.server.admin.decode import cut, read_cursor
from clearway.server.admin.failures import Refused
from clearway.server.admin.parts import Asked, Parts, Told, expect

_LISTS = ("models", "upstreams", "tags")


def list_keys(parts: Parts, asked: Asked) -> Keys:
    """A page of keys."""
    query = expect(asked.query, KeyPage)
    place = read_cursor(query.cursor, 1)
    wanted = KeyQuery(
        limit=query.limit + 1, after=None if place is None else place[0], revoked=query.revoked, text=query.q
    )
    page, following = cut(parts.desk.keys(wanted), query.limit, lambda use: (use.key.id,))
    states = _budgets(parts)
    return Keys(
        keys=tuple(_answer(use, states, parts.clock.now_us()) for use in page),
        next=following,
    )


def show(parts: Parts, asked: Asked) -> KeyAnswer:
    """One key."""
    return _show(parts, asked.id)


def create(parts: Parts, asked: Asked) -> Told:
    """A new key."""
    wish = expect(asked.body, KeyWish)
    fields = _checked(parts, msgspec.structs.asdict(wish))
    made = parts.ledger.create_key(msgspec.structs.replace(KeySpec(name=wish.name), **fields), by=asked.visitor.actor)
    return Told(_with_secret(parts, made), ((b"location", f"/admin/api/keys/{made.key.id}".encode()),))


def change(parts: Parts, asked: Asked) -> KeyAnswer:
    """A changed key."""
    wish = expect(asked.body, KeyRevision)
    given = {name: value for name, value in msgspec.structs.asdict(wish).items() if value is not msgspec.UNSET}
    if not given:
        raise Refused("invalid_value", "the body names nothing to change")
    fields = _checked(parts, given)
    key_id = parts.desk.key(asked.id).key.id
    parts.ledger.update_key(key_id, msgspec.structs.replace(KeyChange(), **fields), by=asked.visitor.actor)
    return _show(parts, key_id)


def revoke(parts: Parts, asked: Asked) -> KeyAnswer:
    """A key that is ended for good."""
    key_id = parts.desk.key(asked.id).key.id
    parts.ledger.revoke_key(key_id, by=asked.visitor.actor)
    return _show(parts, key_id)


def rotate(parts: Parts, asked: Asked) -> NewKeyAnswer:
    """A key with a new secret."""
    wish = expect(asked.body, Rotation)
    key_id = parts.desk.key(asked.id).key.id
    return _with_secret(parts, parts.ledger.rotate_key(key_id, wish.overlap_s, by=asked.visitor.actor))


def list_budgets(parts: Parts, asked: Asked) -> BudgetList:  # noqa: ARG001  # the form of handlers
    """Every budget that is in force."""
    return BudgetList(budgets=tuple(answer for _, answer in _budgets(parts)))


def _show(parts: Parts, key_id: str) -> KeyAnswer:
    return _answer(parts.desk.key(key_id), _budgets(parts), parts.clock.now_us())


def _with_secret(parts: Parts, made: NewKey) -> NewKeyAnswer:
    return NewKeyAnswer(key=_show(parts, made.key.id), secret=made.secret)


def _budgets(parts: Parts) -> list[tuple[BudgetState, BudgetAnswer]]:
    """Every budget in force, and how it is told."""
    now = parts.budgets()
    return [(state, _budget(state, is_loading=(state.key_id, state.since_us) in now.loading)) for state in now.states]


def _answer(use: KeyUse, states: Sequence[tuple[BudgetState, BudgetAnswer]], now_us: int) -> KeyAnswer:
    return KeyAnswer(
        **msgspec.structs.asdict(use.key),
        state=_state(use.key, now_us),
        used_us=use.used_us,
        # What is counted follows the key within a moment: a budget that it has no more is not shown.
        budget_states=tuple(
            answer for state, answer in states if state.key_id == use.key.id and state.budget in use.key.budgets
        ),
    )


def _state(key: Key, now_us: int) -> Literal["live", "expired", "revoked"]:
    if key.revoked_us is not None:
        return "revoked"
    return "expired" if key.expires_us is not None and now_us >= key.expires_us else "live"


def _budget(state: BudgetState, *, is_loading: bool) -> BudgetAnswer:
    return BudgetAnswer(
        key_id=state.key_id,
        key_name=state.key_name,
        text=show_budget(state.budget),
        amount=state.budget.amount,
        unit=state.budget.unit,
        period=state.budget.period,
        spent=state.spent,
        held=state.held,
        left=state.left,
        since_us=state.since_us,
        resets_us=state.resets_us,
        is_loading=is_loading,
    )


def _checked(parts: Parts, given: Mapping[str, object]) -> dict[str, object]:
    """The fields as a key has them. Raises Refused."""
    fields = dict(given)
    for name in _LISTS:
        for label in _texts(fields.get(name)):
            if not label.isprintable() or label != label.strip():
                raise Refused("invalid_value", f"{name}: printable characters only, no space at their ends")
    known = {place.name for place in parts.upstreams()}
    if unknown := [name for name in _texts(fields.get("upstreams")) if name not in known]:
        hint = f"configured are {', '.join(sorted(known))}"
        raise Refused("invalid_value", f"upstreams: there is no upstream {unknown[0]!r}", hint=hint)
    ends_us = fields.get("expires_us")
    if isinstance(ends_us, int) and ends_us <= parts.clock.now_us():
        raise Refused("invalid_value", "expires_us: is already over", hint="name a moment to come, or null")
    budgets = fields.get("budgets")
    if isinstance(budgets, tuple):
        fields["budgets"] = tuple(map(_wished, budgets))
    return fields


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _wished(wish: BudgetWish | str) -> Budget:
    if isinstance(wish, BudgetWish):
        return Budget(amount=wish.amount, unit=wish.unit, period=wish.period)
    try:
        return parse_budget(wish)
    except BudgetError as error:
        raise Refused("invalid_value", f"budgets: {error}") from error
