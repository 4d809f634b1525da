"""The space of a search: a recipe with ranges in place of some values.

A range is `{low = 1e-4, high = 1e-2, log = true}` or `{choices = [...]}`. A choice may hold whole methods with ranges
of their own, `{choices = ["cross_entropy", {name = "focal", gamma = {low = 0, high = 5}}]}`; these ranges exist only if
the method is chosen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

from rarebird.core.checks import DataError, nearest
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assigned, read_plain
from rarebird.slots import methods
from rarebird.slots.ranges import Choice, Float, Int, Range

RANGE_KEYS = ({"low", "high"}, {"low", "high", "log"})
# The settings of a network that are searched; the kernels' length only where it is a stretch of time.
OF_NETWORKS = ("depth", "width", "dropout")
# Augmentations of series that are searched: none suits all, and aligned series want none.
OF_SERIES = (("window_crop",), ("magnitude_scale", "jitter"))
# A grid with more points is refused: it would take too long.
LARGEST_GRID = 10_000


class Ask(Protocol):
    """Gives a value for a named range: a trial of the search, or a point of a grid."""

    def __call__(self, name: str, where: Range) -> Any: ...


@dataclass(frozen=True)
class Dimension:
    """A range of the space.

    Attributes:
        name: Dotted, ``optimizer.learning_rate``.
        where: The range; for a choice of methods, the choice of their names.
        under: The choices on which the range depends, name -> value; empty if it always exists.
    """

    name: str
    where: Range
    under: Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """A recipe's plain values, with ranges among them.

    Attributes:
        tree: Slot or field -> value; a `Float`, `Int` or `Choice` in it is searched.
    """

    tree: dict[str, Any]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Space:
        """The space that plain values describe; both ends of every range are checked, under every choice.

        Raises:
            DataError: A range is written wrongly, or one of its ends breaks a rule of the recipe.
        """
        for key in plain:
            if key not in Recipe.model_fields:
                raise DataError(f"The recipe has no key {key!r}; {nearest(key, Recipe.model_fields)}")
        space = cls({key: _parsed(value, key, (key,)) for key, value in plain.items()})
        for last in (False, True):
            space.draw(lambda name, where, last=last: _end(where, last))
        for dimension in space.dimensions():
            if isinstance(dimension.where, Choice):
                for value in dimension.where.values:
                    space.draw(_Chosen({**dimension.under, dimension.name: value}))
        return space

    @classmethod
    def read(cls, path: Path, settings: tuple[str, ...] = ()) -> Space:
        """The space of a recipe file, changed by ``--set`` assignments."""
        return cls.of(assigned(read_plain(path), settings, Recipe.model_fields))

    def draw(self, ask: Ask) -> Recipe:
        """A recipe with the value from `ask` in place of each range."""
        return Recipe(**{key: _drawn(value, key, ask) for key, value in self.tree.items()})

    def dimensions(self) -> list[Dimension]:
        """Every range, in the order of the recipe."""
        return [dimension for key, value in self.tree.items() for dimension in _dimensions(value, key, {})]

    def size(self, steps: int) -> int:
        """Number of points of a grid with `steps` points on each number."""
        return math.prod(_points(value, steps) for value in self.tree.values())

    def grid(self, steps: int) -> list[dict[str, Any]]:
        """All points of a grid: name -> value of each range that the point has.

        Raises:
            DataError: There would be more than `LARGEST_GRID` points.
        """
        size = self.size(steps)
        if size > LARGEST_GRID:
            raise DataError(
                f"A grid of {steps} points on each number has {size} recipes; give fewer ranges, fewer points, or "
                "another strategy."
            )
        return [
            dict(itertools.chain(*parts))
            for parts in itertools.product(*(list(_walk(value, key, steps)) for key, value in self.tree.items()))
        ]


def default_space(recipe: Recipe) -> Space:
    """The space around a recipe: learning rate, batch size, weight decay, depth, width, kernel length, dropout, loss
    and augmentation strength; for series without an augmentation, whether they get one.

    For a reference (trees in place of a network), which none of these change, it is the reference's own ranges; for a
    solved head those of the head and of the frozen network.
    """
    tree: dict[str, Any] = dict(recipe.plain())
    if recipe.reference is not None:
        tree["reference"] = {**tree["reference"], **type(recipe.reference).ranges()}
        return Space(tree)
    if recipe.head is not None:
        for slot in ("head", "network"):
            tree[slot] = {**tree[slot], **type(getattr(recipe, slot)).ranges()}
        return Space(tree)
    of_network = (*OF_NETWORKS, "kernel") if recipe.kind == "series" else OF_NETWORKS
    tree["batch_size"] = Int(max(8, recipe.batch_size // 2), recipe.batch_size * 2, log=True)
    for slot, wanted in (("optimizer", ("learning_rate", "weight_decay")), ("network", of_network)):
        ranges = type(getattr(recipe, slot)).ranges()
        tree[slot] = {**tree[slot], **{name: ranges[name] for name in wanted if name in ranges}}
    if "tasks" in dir(recipe.loss) and "classification" in recipe.loss.tasks:
        # balanced_softmax is logit_adjusted at its default: one of the two is searched.
        balanced = "balanced_softmax" if recipe.loss.name == "balanced_softmax" else "logit_adjusted"
        tree["loss"] = Choice(*dict.fromkeys([recipe.loss.name, "cross_entropy", balanced]))
    tree["augmentation"] = [_with_strength(method) for method in recipe.augmentation]
    if recipe.kind == "series" and not recipe.augmentation:
        sets = [[_with_strength(methods.of("augmentation", name)) for name in names] for names in OF_SERIES]
        tree["augmentation"] = Choice([], *sets)
    return Space(tree)


def _with_strength(method: methods.Method) -> dict[str, Any]:
    """An augmentation's settings with a range for its first searched number, which is its strength by convention."""
    strengths = {name: where for name, where in type(method).ranges().items() if isinstance(where, Float)}
    return {**method.settings(), **dict(list(strengths.items())[:1])}


def _parsed(value: Any, key: str, place: tuple[str, ...]) -> Any:
    """Plain values with their ranges parsed; `place` is the slot, the method and the setting of the value."""
    if isinstance(value, Mapping):
        if "choices" in value:
            return _choice(value, key, place)
        if {"low", "high"} & set(value):
            return _number(value, key, whole=_is_whole(place))
        inner = (*place[:1], str(value["name"])) if "name" in value else place
        return {name: _parsed(entry, f"{key}.{name}", (*inner, name)) for name, entry in value.items()}
    if isinstance(value, list):
        return [_parsed(entry, f"{key}.{number}", place) for number, entry in enumerate(value)]
    return value


def _choice(value: Mapping[str, Any], key: str, place: tuple[str, ...]) -> Choice:
    if set(value) != {"choices"} or not isinstance(value["choices"], list) or len(value["choices"]) < 2:
        raise DataError(
            f"The range of {key} is written {{choices = [a, b]}}, with two values or more and no other key."
        )
    return Choice(*(_parsed(entry, key, place) for entry in value["choices"]))


def _number(value: Mapping[str, Any], key: str, whole: bool) -> Range:
    if set(value) not in RANGE_KEYS:
        raise DataError(
            f"The range of {key} is written {{low = a, high = b}}, with log = true where its scale is logarithmic."
        )
    low, high, log = value["low"], value["high"], bool(value.get("log", False))
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise DataError(f"The range of {key} goes from a number to a number, but got low={low!r}, high={high!r}.")
    try:
        return Int(int(low), int(high), log) if whole else Float(float(low), float(high), log)
    except ValueError as error:
        raise DataError(f"The range of {key}: {error}") from None


def _is_whole(place: tuple[str, ...]) -> bool:
    """Whether a field of the recipe (``("batch_size",)``) or of a method (``("network", "mlp", "depth")``) holds whole
    numbers."""
    fields = Recipe.model_fields if len(place) == 1 else methods.load(place[0], place[1]).model_fields
    field = fields.get(place[-1])
    kinds = set() if field is None else {field.annotation, *get_args(field.annotation)}
    return int in kinds and float not in kinds


def _end(where: Range, last: bool) -> Any:
    if isinstance(where, Choice):
        return where.values[-1 if last else 0]
    return where.high if last else where.low


@dataclass(frozen=True)
class _Chosen:
    """Gives fixed values, and the lower end of every other range."""

    values: Mapping[str, Any]

    def __call__(self, name: str, where: Range) -> Any:
        return self.values.get(name, _end(where, last=False))


def label(value: Any) -> str:
    """A choice's value as a short text: a method's name, those of several methods, or the value itself."""
    if isinstance(value, list):
        return " + ".join(map(label, value)) or "none"
    return str(value.get("name", value)) if isinstance(value, Mapping) else str(value)


def _drawn(value: Any, key: str, ask: Ask) -> Any:
    """A value with the value from `ask` in place of each range in it."""
    if isinstance(value, Choice):
        names = labels(value)
        chosen = ask(key, Choice(*names))
        return _drawn(value.values[names.index(chosen)], f"{key}={chosen}", ask)
    if isinstance(value, Float | Int):
        return ask(key, value)
    if isinstance(value, Mapping):
        return {name: _drawn(entry, f"{key}.{name}", ask) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_drawn(entry, f"{key}.{place}", ask) for place, entry in enumerate(value)]
    return value


def labels(choice: Choice) -> list[str]:
    """A label for each value of a choice, all different."""
    names = [label(value) for value in choice.values]
    return [name if names.count(name) == 1 else f"{name}#{place}" for place, name in enumerate(names)]


def _dimensions(value: Any, key: str, under: Mapping[str, Any]) -> list[Dimension]:
    if isinstance(value, Choice):
        names = labels(value)
        inner = [
            _dimensions(entry, f"{key}={name}", {**under, key: name})
            for name, entry in zip(names, value.values, strict=True)
        ]
        return [Dimension(key, Choice(*names), under), *itertools.chain(*inner)]
    if isinstance(value, Float | Int):
        return [Dimension(key, value, under)]
    return [dimension for name, entry in _entries(value) for dimension in _dimensions(entry, f"{key}.{name}", under)]


def _points(value: Any, steps: int) -> int:
    if isinstance(value, Choice):
        return sum(_points(entry, steps) for entry in value.values)
    if isinstance(value, Float | Int):
        return len(points(value, steps))
    return math.prod(_points(entry, steps) for _, entry in _entries(value))


def _walk(value: Any, key: str, steps: int) -> Iterator[list[tuple[str, Any]]]:
    """Every way to fill a value's ranges: (name, value) of each range that exists in it."""
    if isinstance(value, Choice):
        for name, entry in zip(labels(value), value.values, strict=True):
            for filled in _walk(entry, f"{key}={name}", steps):
                yield [(key, name), *filled]
    elif isinstance(value, Float | Int):
        for point in points(value, steps):
            yield [(key, point)]
    else:
        ways = [list(_walk(entry, f"{key}.{name}", steps)) for name, entry in _entries(value)]
        for parts in itertools.product(*ways):
            yield list(itertools.chain(*parts))


def points(where: Float | Int, steps: int) -> list[float] | list[int]:
    """At most `steps` points of a range, with its ends, evenly spaced on its own scale."""
    ends = (math.log(where.low), math.log(where.high)) if where.log else (where.low, where.high)
    spaced = (
        [ends[0] + (ends[1] - ends[0]) * place / (steps - 1) for place in range(steps)]
        if steps > 1
        else [sum(ends) / 2]
    )
    values = [math.exp(value) if where.log else value for value in spaced]
    if isinstance(where, Int):
        return sorted({round(value) for value in values})
    return [min(max(value, where.low), where.high) for value in values]


def _entries(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), entry) for name, entry in value.items()]
    return [(str(place), entry) for place, entry in enumerate(value)] if isinstance(value, list | tuple) else []
