"""Slot + file name -> method. The folder is the list: no registry, and listing imports none of the methods.

A method file has its docstring (the card), the literal `KINDS`, and one class of frozen values, whose name is the
file's name in camel case: `methods/loss/logit_adjusted.py` has `LogitAdjusted`. Its fields are the settings, each with
its search range. Files whose names begin with `_` are parts of methods.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self, TypeGuard

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rarebird.core.checks import DataError, nearest
from rarebird.slots.ranges import Choice, Float, Int, Range

# In the order in which they act on the data; each is a folder of `rarebird/methods` and a field of the recipe.
SLOTS = (
    "external",
    "synthesis",
    "resampling",
    "batch_sampling",
    "augmentation",
    "network",
    "transfer",
    "reference",
    "head",
    "loss",
    "regularization",
    "optimizer",
    "schedule",
    "calibration",
    "decision",
)
KIND_NAMES = ("image", "table", "series")
PACKAGE = "rarebird.methods"
_ROOT = Path(__file__).parents[1] / "methods"


class Fitted(BaseModel):
    """The result of a method's `fit`: a frozen value that can be saved as JSON.

    It is rebuilt and checked by ``load(slot, name).fitted(**values)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Method(BaseModel):
    """The frozen settings of one method; every method derives from it and adds the functions of its slot's protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    slot: ClassVar[str] = ""
    name: ClassVar[str] = ""

    def __init__(self, /, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise ValueError(sentence(error, type(self).name or type(self).__name__, type(self).model_fields)) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Set the slot and the name from the folder and the name of the file."""
        super().__pydantic_init_subclass__(**kwargs)
        folder, _, name = cls.__module__.rpartition(".")
        package, _, slot = folder.rpartition(".")
        if package == PACKAGE and slot in SLOTS:
            cls.slot, cls.name = slot, name

    @classmethod
    def examples(cls) -> list[Self]:
        """Values that the contract kit tests: the default, if there is one, and other important ones."""
        return [cls()]

    @classmethod
    def ranges(cls) -> dict[str, Range]:
        """Search ranges: field name -> range."""
        found = {}
        for field, info in cls.model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, Float | Int | Choice):
                    found[field] = mark
        return found

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """A random value within the method's search ranges."""
        return cls(**{field: where.sample(rng) for field, where in cls.ranges().items()})

    def settings(self) -> dict[str, Any]:
        """Name and settings as plain values for TOML and JSON."""
        return {"name": type(self).name, **self.model_dump(mode="json", exclude_none=True)}


@dataclass(frozen=True)
class Card:
    """A method in a listing, which does not import it.

    Attributes:
        slot: The slot whose folder the file is in.
        name: The name of the file.
        line: First line of the file's docstring.
        kinds: Kinds of data that the method serves.
    """

    slot: str
    name: str
    line: str
    kinds: tuple[str, ...]


@cache
def cards(slot: str) -> tuple[Card, ...]:
    """The methods of one slot in the order of their names, read from the text of their files by `ast`.

    Raises:
        DataError: There is no such slot.
    """
    _check_slot(slot)
    found = []
    for path in sorted((_ROOT / slot).glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = next((ast.literal_eval(node.value) for node in tree.body if _assigns(node, "KINDS")), None)
        if kinds is not None:
            line = (ast.get_docstring(tree) or "").splitlines()
            found.append(Card(slot, path.stem, line[0] if line else "", tuple(kinds)))
    return tuple(found)


def names(slot: str, kind: str | None = None) -> list[str]:
    """Names of the methods of `slot` that serve data of `kind`; with None, of all its methods."""
    return [card.name for card in cards(slot) if kind is None or kind in card.kinds]


def kinds(slot: str, name: str) -> tuple[str, ...]:
    """The kinds of data that a method serves."""
    _check_name(slot, name)
    return next(card.kinds for card in cards(slot) if card.name == name)


def path_of(slot: str, name: str) -> Path:
    """The file of a method."""
    _check_name(slot, name)
    return _ROOT / slot / f"{name}.py"


def load(slot: str, name: str) -> type[Method]:
    """The class of a method's settings; imports its file.

    Raises:
        DataError: The slot's folder has no file of that name.
    """
    _check_name(slot, name)
    module = importlib.import_module(f"{PACKAGE}.{slot}.{name}")
    method: type[Method] = getattr(module, camel(name))
    assert issubclass(method, Method)
    return method


def build(slot: str, settings: dict[str, Any]) -> Method:
    """A method's value from plain settings, ``{"name": "focal", "gamma": 2}``."""
    rest = {key: value for key, value in settings.items() if key != "name"}
    name = settings.get("name")
    if not isinstance(name, str):
        raise DataError(f"{slot} needs the name of a method; {nearest('', names(slot))}")
    return load(slot, name)(**rest)


def of(slot: str, value: object) -> Method:
    """A method's value from the value itself, from a name, or from plain settings that include the name."""
    if isinstance(value, Method):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        raise ValueError(f"{slot} takes a method's name or a table with `name`, but got {value!r}.")
    return build(slot, value)


def camel(name: str) -> str:
    """``logit_adjusted`` -> ``LogitAdjusted``."""
    return "".join(part.capitalize() for part in name.split("_"))


def sentence(error: ValidationError, where: str, valid: dict[str, Any]) -> str:
    """One sentence for pydantic's first error: the rule that is broken and the value that was given.

    Args:
        error: The error.
        where: What is built: the name of a method, or ``recipe``.
        valid: The names of its fields.
    """
    first = error.errors()[0]
    # pydantic adds the branch of a union to a setting's path ("alpha.literal['balanced']"), which no user wrote.
    field = ".".join(str(part) for part in first["loc"] if not str(part).endswith("]")) or str(where)
    context, given = first.get("ctx", {}), first["input"]
    rules = {
        "greater_than_equal": (">=", "ge"),
        "greater_than": (">", "gt"),
        "less_than_equal": ("<=", "le"),
        "less_than": ("<", "lt"),
    }
    if first["type"] == "extra_forbidden":
        return f"{where} has no setting {field!r}; {nearest(field, valid)}"
    if first["type"] == "missing":
        return f"{where} needs the setting {field!r}."
    if first["type"] in rules:
        sign, key = rules[first["type"]]
        return f"`{field} {sign} {context[key]:g}` must hold for {where}, but got {field}={given!r}."
    if first["type"] == "value_error":
        return f"{where}: {context['error']}"
    if first["type"] == "literal_error":
        return f"`{field} is {context['expected']}` must hold for {where}, but got {field}={given!r}."
    rule = first["msg"][:1].lower() + first["msg"][1:]
    return f"{where} cannot take {field}={given!r}: {rule}."


def _assigns(node: ast.stmt, name: str) -> TypeGuard[ast.Assign]:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in node.targets
    )


def _check_slot(slot: str) -> None:
    if slot not in SLOTS:
        raise DataError(f"There is no slot {slot!r}; {nearest(slot, SLOTS)}")


def _check_name(slot: str, name: str) -> None:
    _check_slot(slot)
    if name not in names(slot):
        other = next((one for one in SLOTS if name in names(one)), None)
        hint = nearest(name, names(slot)) if other is None else f"did you mean '{other}={name}'?"
        raise DataError(f"{slot} has no method {name!r}; {hint}")
