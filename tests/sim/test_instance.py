"""The least value that fits a schema, checked by Pydantic and by hand."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from clearway.upstreams.simulation.instance import NoInstance, least


class Colour(Enum):
    """Two of them."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """A model within a model."""

    colour: Colour
    weight: Annotated[float, Field(gt=0.5, lt=0.75)]


class Tree(BaseModel):
    """Refers to itself, but may end."""

    name: Annotated[str, Field(min_length=12)]
    code: Annotated[str, Field(pattern=r"^[A-Z]+$", max_length=5)]
    short: Annotated[str, Field(max_length=2)]
    kind: Literal["tree"]
    leaves: Annotated[list[Leaf], Field(min_length=2)]
    children: list["Tree"]
    parent: "Tree | None"
    choice: int | str
    pair: tuple[int, str]
    rank: Annotated[int, Field(ge=3, multiple_of=5)]
    below: Annotated[int, Field(lt=0)]
    born: date
    seen: datetime
    key: UUID
    alive: bool
    extra: dict[str, int]
    nickname: str = "none"


def test_a_model_of_everything() -> None:
    """What is made from Pydantic's schema is accepted by Pydantic."""
    made = least(Tree.model_json_schema())
    tree = Tree.model_validate(made)

    assert isinstance(made, dict)
    assert "nickname" not in made
    assert tree.rank == 5
    assert tree.below == -1
    assert len(tree.leaves) == 2


CASES = [
    pytest.param({}, "text", id="anything"),
    pytest.param({"const": None}, None, id="const"),
    pytest.param({"enum": [3, 4]}, 3, id="enum"),
    pytest.param({"type": ["integer", "null"]}, 0, id="first-type"),
    pytest.param({"type": "array", "items": {"type": "null"}}, [], id="empty-array"),
    pytest.param({"type": "object"}, {}, id="empty-object"),
    pytest.param({"properties": {"a": {"type": "null"}}, "minProperties": 1}, {"a": None}, id="min-properties"),
    pytest.param({"required": ["a"]}, {"a": "text"}, id="required-without-a-schema"),
    pytest.param({"type": "number", "minimum": 0.5}, 1, id="minimum"),
    pytest.param({"type": "integer", "maximum": -2.5}, -3, id="maximum"),
    pytest.param({"type": "integer", "exclusiveMaximum": 0, "multipleOf": 4}, -4, id="multiple"),
    pytest.param({"type": "string", "format": "date"}, "2026-01-01", id="format"),
    pytest.param({"anyOf": [{"enum": []}, {"const": 1}]}, 1, id="first-choice-that-works"),
    pytest.param({"allOf": [{"type": "string"}, {"minLength": 6}]}, "textxx", id="all-of"),
    pytest.param(
        {"allOf": [{"required": ["a"]}, {"properties": {"a": {"const": 1}}, "required": ["b"]}]},
        {"a": 1, "b": "text"},
        id="all-of-objects",
    ),
    pytest.param({"$defs": {"a/b": {"const": 2}}, "$ref": "#/$defs/a~1b"}, 2, id="escaped-reference"),
    pytest.param({"type": "array", "minItems": 2, "prefixItems": [{"const": 1}]}, [1, "text"], id="prefix-items"),
]


@pytest.mark.parametrize(("schema", "expected"), CASES)
def test_least(schema: dict[str, object], expected: object) -> None:
    """One row for each keyword."""
    assert expected == least(schema)


DOUBLING: dict[str, object] = {
    str(n): {"required": ["a", "b"], "properties": {key: {"$ref": f"#/$defs/{n + 1}"} for key in "ab"}}
    for n in range(40)
}
IMPOSSIBLE = [
    pytest.param({"$ref": "#"}, id="itself"),
    pytest.param({"required": ["a"], "properties": {"a": {"$ref": "#"}}}, id="never-ends"),
    pytest.param({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, id="doubles-its-choices"),
    pytest.param({"$defs": {**DOUBLING, "40": {}}, "$ref": "#/$defs/0"}, id="doubles-its-members"),
    pytest.param({"type": "integer", "minimum": 10**400}, id="beyond-floats"),
    pytest.param({"$ref": "#/nowhere"}, id="leads-nowhere"),
    pytest.param({"$ref": "https://example.com/"}, id="elsewhere"),
    pytest.param({"enum": []}, id="empty-enum"),
    pytest.param({"anyOf": []}, id="empty-choice"),
    pytest.param({"type": "colour"}, id="unknown-type"),
    pytest.param({"type": "integer", "minimum": 1, "exclusiveMaximum": 1}, id="no-integer"),
    pytest.param({"type": "string", "minLength": 3, "maxLength": 2}, id="no-string"),
    pytest.param({"type": "string", "pattern": "^q{7}$"}, id="no-sample"),
    pytest.param({"type": "string", "pattern": "^((.+)+)+q$", "minLength": 40}, id="slow-pattern"),
    pytest.param({"type": "string", "pattern": "("}, id="broken-pattern"),
    pytest.param({"type": "array", "minItems": 10**9}, id="too-many"),
    pytest.param({"type": "array", "minItems": 1, "items": False}, id="nothing-fits"),
]


@pytest.mark.parametrize("schema", IMPOSSIBLE)
def test_impossible(schema: dict[str, object]) -> None:
    """What has no value, or none that is found, is said to have none."""
    with pytest.raises(NoInstance):
        least(schema)
