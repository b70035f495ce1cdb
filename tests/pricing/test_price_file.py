"""An owner's own price file."""

import json
from pathlib import Path
from typing import Any

import pytest

from clearway.core.usage import Usage
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceFileError, PriceList

NOW = 1_795_219_200_000_000  # 2026-11-21
USD = 1_000_000_000

RATES = {"input": 1 * USD, "output": 2 * USD}


def model(name: str = "my-model", *prices: dict[str, Any], **more: object) -> dict[str, Any]:
    """One model of a file."""
    return {"id": name, "prices": list(prices) or [{"standard": [RATES]}], **more}


def write(folder: Path, *models: dict[str, Any]) -> Path:
    """A file with these models."""
    path = folder / "prices.json"
    path.write_text(json.dumps({"models": models}))
    return path


def nano(prices: PriceList, name: str, usage: Usage, at_us: int = NOW) -> int | None:
    """The cost alone."""
    return cost(usage, name, at_us=at_us, billing="billed", prices=prices).nano


def test_new_model(tmp_path: Path) -> None:
    """A model of the file is priced, by its id and its names; the shipped ones stay."""
    prices = PriceList.shipped().with_override(write(tmp_path, model("GLM-5.2", names=["glm-latest"])))

    found = [nano(prices, name, Usage(input_tokens=1)) for name in ("glm-5.2", "GLM-latest", "claude-opus-5", "glm-5")]

    assert found == [1_000, 1_000, 5_000, None]


def test_own_price(tmp_path: Path) -> None:
    """A file's model takes the shipped one's place under all of its names."""
    prices = PriceList.shipped().with_override(write(tmp_path, model("claude-opus-4")))

    names = ("claude-opus-4", "claude-opus-4-0", "claude-opus-4-20250514", "claude-4-opus", "anthropic/claude-opus-4")

    assert {1_000} == {nano(prices, name, Usage(input_tokens=1)) for name in names}
    assert nano(prices, "claude-opus-4-1", Usage(input_tokens=1)) == 15_000


def test_shipped_list_stays(tmp_path: Path) -> None:
    """An override changes no other list."""
    PriceList.shipped().with_override(write(tmp_path, model("claude-opus-5")))

    assert nano(PriceList.shipped(), "claude-opus-5", Usage(input_tokens=1)) == 5_000


def test_snapshot_alone(tmp_path: Path) -> None:
    """An exact name of the file goes before the spellings of a shipped one."""
    prices = PriceList.shipped().with_override(write(tmp_path, model("claude-opus-5-20260724")))

    found = [nano(prices, name, Usage(input_tokens=1)) for name in ("claude-opus-5-20260724", "claude-opus-5")]

    assert found == [1_000, 5_000]


def test_override_of_an_override(tmp_path: Path) -> None:
    """Files stack, the last on top."""
    first = PriceList.shipped().with_override(write(tmp_path, model("a"), model("b")))

    second = first.with_override(write(tmp_path, model("b", {"standard": [{"input": 7 * USD}]})))

    assert [nano(second, name, Usage(input_tokens=1)) for name in ("a", "b")] == [1_000, 7_000]


def test_unknown_rates(tmp_path: Path) -> None:
    """A rate that the file leaves out is unknown, not free; 0 is free."""
    prices = PriceList.shipped().with_override(
        write(tmp_path, model("some"), model("free", {"standard": [{"input": 0}]}))
    )

    assert nano(prices, "some", Usage(cache_read_tokens=1)) is None
    assert nano(prices, "some", Usage(input_tokens=1, service_tier="batch")) is None
    assert nano(prices, "free", Usage(input_tokens=10**6)) == 0
    assert nano(prices, "free", Usage(output_tokens=1)) is None


def test_before_the_first_day(tmp_path: Path) -> None:
    """Before the first day of a model's prices nothing is known."""
    later = {"from": "2026-11-21", "standard": [RATES]}
    prices = PriceList.shipped().with_override(write(tmp_path, model("new", later)))

    assert [nano(prices, "new", Usage(input_tokens=1), at) for at in (NOW - 1, NOW)] == [None, 1_000]


def test_everything(tmp_path: Path) -> None:
    """All fields of the form do what the shipped list's do."""
    full = {
        "standard": [RATES, {"over": 10, "input": 3 * USD}, {"over": 20, "input": 4 * USD}],
        "batch": [{"input": 5 * USD}],
        "fast": [{"input": 6 * USD}],
        "geo_permille": {"moon": 2_500},
        "web_search_per_1000": USD,
        "source": "our contract",
    }
    prices = PriceList.shipped().with_override(write(tmp_path, model("full", full)))
    usages = [
        Usage(input_tokens=10),
        Usage(input_tokens=11),
        Usage(input_tokens=21),
        Usage(input_tokens=1, service_tier="batch"),
        Usage(input_tokens=1, speed="fast"),
        Usage(input_tokens=2, inference_geo="moon"),
        Usage(web_search_requests=1),
    ]

    assert [nano(prices, "full", use) for use in usages] == [10_000, 33_000, 84_000, 5_000, 6_000, 5_000, 1_000_000]


def test_version(tmp_path: Path) -> None:
    """The version changes with the file's content, and only with it."""
    shipped = PriceList.shipped()
    first = shipped.with_override(write(tmp_path, model("a"))).version
    second = shipped.with_override(write(tmp_path, model("b"))).version
    again = shipped.with_override(write(tmp_path, model("a"))).version

    assert first == again
    assert len({shipped.version, first, second}) == 3
    assert first.startswith(f"{shipped.version}+file-")


def test_shipped_form(tmp_path: Path) -> None:
    """The shipped file itself is a valid file of an owner's."""
    path = tmp_path / "copy.json"
    path.write_bytes((Path(__file__).parents[2] / "src/clearway/pricing/prices.json").read_bytes())

    assert nano(PriceList.shipped().with_override(str(path)), "claude-opus-5", Usage(input_tokens=1)) == 5_000


BAD = [
    pytest.param(b"", "not JSON", id="empty"),
    pytest.param(b"{", "not JSON", id="cut-off"),
    pytest.param(b'{"models": [{"id": "\xff"}]}', "", id="not-utf-8"),
    pytest.param(b"[]", "object", id="a-list"),
    pytest.param(b"{}", "`models`", id="no-models"),
    pytest.param(b'{"models": {}}', "$.models", id="models-not-a-list"),
    pytest.param(b'{"model": []}', "`model", id="unknown-field"),
    pytest.param(b'{"unit": "dollars", "models": []}', "$.unit", id="another-unit"),
    pytest.param(b'{"models": [{"prices": []}]}', "$.models[0]", id="no-id"),
    pytest.param(b'{"models": [{"id": "", "prices": []}]}', "$.models[0].id", id="empty-id"),
    pytest.param(b'{"models": [{"id": "m", "prices": []}]}', "$.models[0].prices", id="no-prices"),
    pytest.param(b'{"models": [{"id": "m", "prices": [{"standard": []}]}]}', "standard", id="no-rates"),
]

ODD = [
    pytest.param({"standard": [{"input": 3.5}]}, "$.models[0].prices[0].standard[0].input", id="float"),
    pytest.param({"standard": [{"input": "3"}]}, "$.models[0].prices[0].standard[0].input", id="text"),
    pytest.param({"standard": [{"input": -USD}]}, "$.models[0].prices[0].standard[0].input", id="negative"),
    pytest.param({"standard": [{"input": 10**16}]}, "$.models[0].prices[0].standard[0].input", id="too-large"),
    pytest.param({"standard": [{"inptu": USD}]}, "`inptu`", id="misspelt"),
    pytest.param({"standard": [RATES], "from": "21.11.2026"}, "$.models[0].prices[0].from", id="day"),
    pytest.param({"standard": [RATES], "geo_permille": {"us": 0}}, "geo_permille", id="free-geography"),
    pytest.param({"standard": [{"input": 3}]}, "3000000000", id="dollars"),
    pytest.param({"standard": [RATES], "fast": [{"output": 15}]}, "`prices[0].fast`: `output`", id="dollars-fast"),
    pytest.param({"standard": [RATES], "web_search_per_1000": 10}, "web_search_per_1000", id="dollars-searches"),
    pytest.param({"standard": [{"over": 5, **RATES}]}, "`over`", id="no-first-row"),
    pytest.param({"standard": [RATES, RATES]}, "`over`", id="two-first-rows"),
    pytest.param({"standard": [RATES, {"over": 9}, {"over": 5}]}, "`prices[0].standard`", id="rows-out-of-order"),
]


@pytest.mark.parametrize(("content", "told"), BAD)
def test_bad_file(tmp_path: Path, content: bytes, told: str) -> None:
    """A file of another form is refused with its name and the place."""
    path = tmp_path / "prices.json"
    path.write_bytes(content)

    with pytest.raises(PriceFileError) as caught:
        PriceList.shipped().with_override(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(("price", "told"), ODD)
def test_bad_field(tmp_path: Path, price: dict[str, Any], told: str) -> None:
    """A wrong value is refused with the file, the field and what to write."""
    path = write(tmp_path, model("m", price))

    with pytest.raises(PriceFileError) as caught:
        PriceList.shipped().with_override(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_days_out_of_order(tmp_path: Path) -> None:
    """Prices are given oldest first, each day once."""
    days = [{"from": day, "standard": [RATES]} for day in ("2026-02-01", "2026-01-01")]

    with pytest.raises(PriceFileError, match=r"models\[1\]` \(two\).*oldest first"):
        PriceList.shipped().with_override(write(tmp_path, model("one"), model("two", *days)))


@pytest.mark.parametrize(
    "models",
    [
        pytest.param([model("a"), model("A")], id="ids"),
        pytest.param([model("a"), model("b", names=["a"])], id="id-and-name"),
        pytest.param([model("a", names=["a"])], id="itself"),
    ],
)
def test_same_name_twice(tmp_path: Path, models: list[dict[str, Any]]) -> None:
    """A name means one model."""
    with pytest.raises(PriceFileError, match="twice"):
        PriceList.shipped().with_override(write(tmp_path, *models))


def test_no_file(tmp_path: Path) -> None:
    """A file that isn't there, or is a folder, is told with the setting to correct."""
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(PriceFileError, match=r"usage\.prices") as caught:
            PriceList.shipped().with_override(path)

        assert str(path) in str(caught.value)


def test_huge_file(tmp_path: Path) -> None:
    """A file that cannot be a price list isn't read to its end."""
    path = tmp_path / "huge.json"
    path.write_bytes(b" " * 4_000_001)

    with pytest.raises(PriceFileError, match="more than 4000000 bytes"):
        PriceList.shipped().with_override(path)
