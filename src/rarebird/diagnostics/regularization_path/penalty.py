"""Where a recipe keeps the strength of a penalty, which strengths are worth trying, and the recipe with another one.

A recipe can have `l2` in two places. The `weight_decay` of an optimizer is the same pull towards zero (as a part of the
gradient for `sgd` and `adam`, as a separate step for the others), and nearly every recipe has some. A second pull
beside it would shift the curve by the decay that the recipe happens to have. So the path of `l2` changes the
optimizer's own weight decay. Only if a recipe has the method `l2` itself (for its other form, `decoupled=false`), that
method's strength is changed, and the optimizer's decay is set to 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rarebird.core.checks import DataError, nearest
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.ranges import Float

DECAY = "weight_decay"
# Significant digits of a strength: more make no difference, and a recipe should be easy to read.
DIGITS = 4


@dataclass(frozen=True)
class Penalty:
    """The strength of one penalty in a recipe.

    Attributes:
        name: The regularization that was asked for.
        slot: The slot that has the strength.
        method: The method in that slot.
        setting: The method's setting.
        span: The method's own range for it.
    """

    name: str
    slot: Literal["regularization", "optimizer"]
    method: str
    setting: str
    span: Float

    @property
    def key(self) -> str:
        """The strength's key for ``--set``."""
        return (
            f"optimizer.{self.setting}" if self.slot == "optimizer" else f"regularization.{self.method}.{self.setting}"
        )

    @property
    def label(self) -> str:
        """The strength in words, ``strength of l1``, ``weight decay of adamw (l2)``."""
        words = f"{self.setting.replace('_', ' ')} of {self.method}"
        return words if self.method == self.name else f"{words} ({self.name})"

    def grid(self, points: int, low: float | None = None, high: float | None = None) -> list[float]:
        """Strengths from weak to strong, evenly spaced on the range's own scale, logarithmic or linear.

        Args:
            points: The number of strengths, 2 or more; there are fewer where rounding makes some equal.
            low, high: The weakest and the strongest, in place of the range's own ends.

        Raises:
            DataError: `low` is not below `high`, or not above 0 on a logarithmic scale.
        """
        low, high = self.span.low if low is None else low, self.span.high if high is None else high
        if not (np.isfinite([low, high]).all() and low < high):
            raise DataError(
                f"A path goes from weak to strong: --low must be below --high, but got {low:g} and {high:g}."
            )
        if self.span.log and low <= 0:
            raise DataError(
                f"The {self.label} is tried on a logarithmic scale, so --low must be above 0, but got {low:g}."
            )
        even = np.geomspace(low, high, points) if self.span.log else np.linspace(low, high, points)
        return [float(value) for value in np.unique([float(f"{value:.{DIGITS}g}") for value in even])]

    def further(self, grid: Sequence[float]) -> list[float]:
        """Strengths above the grid, at the same distances, so that the path can be twice as long; none on a linear
        scale."""
        if not self.span.log or len(grid) < 2:
            return []
        factor = grid[-1] / grid[-2]
        return [float(f"{grid[-1] * factor**step:.{DIGITS}g}") for step in range(1, len(grid))]

    def at(self, recipe: Recipe, strength: float) -> Recipe:
        """The recipe with this strength; a regularization that it lacks is added with its defaults.

        Raises:
            DataError: The method has no such strength.
        """
        if self.slot == "optimizer":
            return recipe.updated(optimizer={**recipe.optimizer.settings(), self.setting: strength})
        held: list[dict[str, Any]] = [method.settings() for method in recipe.regularization]
        held = held if any(one["name"] == self.method for one in held) else [*held, {"name": self.method}]
        changed = [one | {self.setting: strength} if one["name"] == self.method else one for one in held]
        own = recipe.optimizer.settings()
        without = {**own, DECAY: 0.0} if self.name == "l2" and DECAY in own else own
        return recipe.updated(regularization=changed, optimizer=without)


def penalty_of(name: str, recipe: Recipe) -> Penalty:
    """Where the recipe has the strength of the penalty `name`, or would have it.

    Raises:
        DataError: There is no such penalty, it has no strength, or the recipe has no place for it.
    """
    known = penalties(recipe.kind)
    if name not in known and name in methods.names("regularization"):
        raise DataError(
            f"The regularization {name!r} has no strength to draw a path of; choose one of {', '.join(known)}."
        )
    if name not in known:
        raise DataError(f"There is no penalty {name!r}; {nearest(name, known)}")
    if recipe.reference is not None:
        raise DataError(
            f"The reference {recipe.reference.name!r} has no network that a penalty acts on; take it out of the recipe."
        )
    if recipe.head is not None:
        raise DataError(
            f"The head {recipe.head.name!r} chooses its penalty by leave-one-out; take it out of the recipe."
        )
    held = any(type(method).name == name for method in recipe.regularization)
    optimizer = type(recipe.optimizer)
    if name == "l2" and not held and DECAY in optimizer.ranges():
        if any("optimizer" in stage.overrides for stage in recipe.stages):
            raise DataError(
                "A stage of the recipe has an optimizer and weight decay of its own; put l2 among its regularization."
            )
        return Penalty(name, "optimizer", optimizer.name, DECAY, _span(optimizer, DECAY))
    method = methods.load("regularization", name)
    setting = _strength_field(method)
    return Penalty(name, "regularization", name, setting, _span(method, setting))


def penalties(kind: str) -> Sequence[str]:
    """Names of the regularizations that have a strength."""
    return [
        name for name in methods.names("regularization", kind) if _strength_field(methods.load("regularization", name))
    ]


def _strength_field(method: type[methods.Method]) -> str:
    return str(getattr(method, "strength_field", ""))


def _span(method: type[methods.Method], setting: str) -> Float:
    span = method.ranges()[setting]
    assert isinstance(span, Float)
    return span
