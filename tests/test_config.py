"""One reader of settings: defaults, round trip, and one sentence for whatever is odd."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from agmpk.config import Range, load_yaml, read_config, to_plain
from agmpk.errors import AgmpkError


@dataclass(frozen=True)
class Law:
    low: float
    high: float

    @classmethod
    def from_plain(cls, value, where):
        if not isinstance(value, dict) or set(value) != {"uniform"}:
            raise AgmpkError(f"{where} must be a law, not {value!r}.")
        return cls(*value["uniform"])

    def to_plain(self):
        return {"uniform": [self.low, self.high]}


@dataclass(frozen=True)
class Inner:
    a: int = 1
    b: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outer:
    steps: Annotated[int, Range(1)]
    rate: Annotated[float, Range(0.0, 1.0)] = 0.5
    kind: Literal["flow", "node"] = "flow"
    law: Law | None = None
    inner: Inner = field(default_factory=Inner)
    pair: tuple[float, str] = (1.0, "x")
    more: Mapping[str, Inner] = field(default_factory=dict)
    on: bool = False
    model: Any = None

    def __post_init__(self):
        if self.steps == 13:
            raise AgmpkError("13 steps bring no luck.")


FULL = {
    "steps": 3,
    "rate": 0.25,
    "kind": "node",
    "law": {"uniform": [0.0, 1.0]},
    "inner": {"a": 2, "b": [1.0, 2.0]},
    "pair": [2.0, "y"],
    "more": {"one": {"a": 5, "b": []}},
    "on": True,
    "model": {"width": 3},
}


def test_defaults_and_round_trip():
    assert read_config(Outer, {"steps": 2}, "x") == Outer(2)
    found = read_config(Outer, FULL, "x")
    assert found.law == Law(0.0, 1.0) and found.inner.b == (1.0, 2.0) and found.more["one"].a == 5
    assert to_plain(found) == FULL and read_config(Outer, to_plain(found), "x") == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "x does not know colour; it knows steps, rate"),
        ({"inner": {"c": 1}}, "x: inner does not know c; it knows a, b"),
        ({"steps": 0}, "x: steps must be at least 1, not 0"),
        ({"steps": True}, "x: steps must be a whole number, not True"),
        ({"steps": 2.0}, "x: steps must be a whole number, not 2.0"),
        ({"rate": 2}, "x: rate must be between 0.0 and 1.0, not 2"),
        ({"rate": float("nan")}, "x: rate must be a number, not nan"),
        ({"rate": "fast"}, "x: rate must be a number, not 'fast'"),
        ({"kind": "gpt"}, "x: kind must be one of flow, node, not 'gpt'"),
        ({"kind": True}, "x: kind must be one of"),
        ({"law": 3}, "x: law must be a law, not 3"),
        ({"inner": 3}, "x: inner must be a mapping"),
        ({"inner": {"b": [1, "a"]}}, r"x: inner: b\[1\] must be a number, not 'a'"),
        ({"pair": [1]}, "x: pair must be a list of 2"),
        ({"more": {"one": 1}}, "x: more: one must be a mapping"),
        ({"on": 1}, "x: on must be true or false, not 1"),
        ({"steps": 13}, "x: 13 steps bring no luck"),
        ({"rate": [1] * 1000}, r"not \[1, 1, .*\.\.\.\."),
    ],
)
def test_what_is_odd_is_one_sentence(change, said):
    with pytest.raises(AgmpkError, match=said) as found:
        read_config(Outer, {"steps": 2} | change, "x")
    assert "\n" not in str(found.value)


def test_lacking_and_not_even_a_mapping():
    with pytest.raises(AgmpkError, match="x lacks steps"):
        read_config(Outer, {}, "x")
    with pytest.raises(AgmpkError, match=r"x must be a mapping of names to values, not \[1\]"):
        read_config(Outer, [1], "x")


def test_numbers_as_people_write_them(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("steps: 2\nrate: 1e-3\n")
    assert read_config(Outer, load_yaml(file), str(file)).rate == 1e-3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"steps: [1", r"a.yaml is not valid YAML \(line"),
        (b"steps: 1\nsteps: 2\n", "has the key 'steps' twice"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"[" * 3000, "not valid YAML"),
        (b"steps: !!python/object:os.system 1", "not valid YAML"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, said):
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(AgmpkError, match=said) as found:
        load_yaml(file)
    assert "\n" not in str(found.value)
    with pytest.raises(AgmpkError, match="b.yaml cannot be read: No such file"):
        load_yaml(tmp_path / "b.yaml")
