"""Plain values, as YAML gives them, into frozen dataclasses and back.

One reader for every file of settings: missing values keep their defaults, and what is unknown,
lacking, of the wrong type or out of range is refused in one sentence that says where::

    @dataclass(frozen=True)
    class Recipe:
        steps: Annotated[int, Range(1)]            # no default: must be given
        rate: Annotated[float, Range(0.0, 1.0)] = 1e-3
        prior: str = "calibrated"

    read_config(Recipe, load_yaml("my.yaml"), "my.yaml")
    # AgmpkError: my.yaml: steps must be at least 1, not 0.

Understood are bool, int, float, str, ``Literal``, ``X | None`` and other unions, ``tuple[X, ...]``,
``tuple[X, Y]``, mappings, nested dataclasses, ``Any``, and every class that has
``from_plain(value, where)`` and ``to_plain()``.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from agmpk.errors import AgmpkError

T = TypeVar("T")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a number may have, ends included; ``None`` is no limit."""

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None:
            return f"at most {self.high}"
        if self.high is None:
            return f"at least {self.low}"
        return f"between {self.low} and {self.high}"


def shipped(package: str, folder: str) -> dict[str, Path]:
    """The YAML files in a folder of the package, by name without ``.yaml``, sorted."""
    files = Path(str(resources.files(package))) / folder
    return {file.stem: file for file in sorted(files.glob("*.yaml"))}


def load_yaml(path: str | Path) -> Any:
    """The plain values of a YAML file.

    Raises:
        AgmpkError: there is no such file, or it is not valid YAML, or a key stands twice.
    """
    try:
        return parse_yaml(Path(path).read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise AgmpkError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise AgmpkError(f"{path} is not text in UTF-8; save it as such.") from error


def parse_yaml(text: str, where: str) -> Any:
    """The plain values of YAML ``text``; ``where`` names it in messages.

    Raises:
        AgmpkError: it is not valid YAML, or a key stands twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML lets the last of two equal keys win, in silence."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key in keys:
                if keys.count(key) > 1 and key != "<<":
                    raise AgmpkError(f"{where} has the key {key!r} twice; keep one.")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except AgmpkError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        mark, reason = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f" (line {mark.line + 1})" if mark else ""
        if isinstance(error, yaml.YAMLError):
            reason = reason or "it cannot be read"
        raise AgmpkError(f"{where} is not valid YAML{line}: {reason or error}.") from error


def read_config(cls: type[T], values: Any, where: str) -> T:
    """An instance of the dataclass ``cls`` from plain values; ``where`` names them in messages.

    Raises:
        AgmpkError: unknown or lacking names, a value of another type or out of its range, or what
            ``cls`` itself refuses.
    """
    if not isinstance(values, Mapping):
        raise _refused(where, "a mapping of names to values", values)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    unknown = sorted(str(name) for name in values if name not in fields)
    if unknown:
        raise AgmpkError(
            f"{where} does not know {', '.join(unknown)}; it knows {', '.join(fields)}."
        )
    needed = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    if lacking := [name for name in needed if name not in values]:
        raise AgmpkError(f"{where} lacks {', '.join(lacking)}.")
    hints = typing.get_type_hints(cls, include_extras=True)
    read = {n: read_value(hints[n], value, f"{where}: {n}") for n, value in values.items()}
    try:
        return cls(**read)
    except AgmpkError as error:
        raise AgmpkError(str(error) if where in str(error) else f"{where}: {error}") from None


def read_value(kind: Any, value: Any, where: str) -> Any:
    """One value as ``kind``, which is a type or an annotation.

    Raises:
        AgmpkError: it is not of that kind.
    """
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        found = read_value(parts[0], value, where)
        for limit in parts[1:]:
            if isinstance(limit, Range) and found is not None and found not in limit:
                raise _refused(where, str(limit), value)
        return found
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in parts:
            return None
        # The first kind that takes the value; the complaint is that of the last.
        *others, last = (part for part in parts if part is not types.NoneType)
        for other in others:
            with suppress(AgmpkError):
                return read_value(other, value, where)
        return read_value(last, value, where)
    if origin is Literal:
        if value in parts and type(value) in {type(part) for part in parts}:
            return value
        raise _refused(where, "one of " + ", ".join(map(str, parts)), value)
    if hasattr(kind, "from_plain"):
        return kind.from_plain(value, where)
    if dataclasses.is_dataclass(kind):
        return read_config(kind, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _refused(where, "a list", value)
        kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(value):
            raise _refused(where, f"a list of {len(kinds)}", value)
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(read_value(part, one, f"{where}[{i}]") for i, (part, one) in pairs)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise _refused(where, "a mapping of names to values", value)
        return {
            read_value(parts[0], key, where): read_value(parts[1], one, f"{where}: {key}")
            for key, one in value.items()
        }
    found = float(value) if kind is float and _is_number(value) else value
    good = isinstance(found, (int, float) if kind is float else kind)
    if kind in (int, float):
        good = good and not isinstance(found, bool) and math.isfinite(found)
    if good:
        return float(found) if kind is float else found
    raise _refused(where, _WORDS.get(kind, kind.__name__), value)


def to_plain(value: Any) -> Any:
    """What :func:`read_value` reads back: only mappings, lists, text, numbers, bool and None."""
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(one) for one in value]
    return value


def _is_number(value: Any) -> bool:
    """Whether it is text that YAML 1.1 did not take for the number that it is, such as 1e-3."""
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value))


def _refused(where: str, wanted: str, value: Any) -> AgmpkError:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return AgmpkError(f"{where} must be {wanted}, not {text}.")
