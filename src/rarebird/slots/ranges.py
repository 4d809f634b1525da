"""Search ranges: each is part of the type of its field, as in `Annotated[float, Float(0, 5)]`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import require


@dataclass(frozen=True)
class Float:
    """Real numbers from `low` to `high`, both included, on a linear or logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        require(self.low < self.high, "low < high", low=self.low, high=self.high)
        require(not self.log or self.low > 0, "low > 0 on a logarithmic scale", low=self.low)

    def sample(self, rng: np.random.Generator) -> float:
        """One uniform draw on the range's own scale."""
        if self.log:
            return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Int:
    """Whole numbers from `low` to `high`, both included, on a linear or logarithmic scale."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        require(self.low < self.high, "low < high", low=self.low, high=self.high)
        require(not self.log or self.low > 0, "low > 0 on a logarithmic scale", low=self.low)

    def sample(self, rng: np.random.Generator) -> int:
        """One uniform draw on the range's own scale."""
        if self.log:
            return int(
                np.clip(round(math.exp(rng.uniform(math.log(self.low), math.log(self.high)))), self.low, self.high)
            )
        return int(rng.integers(self.low, self.high + 1))


@dataclass(frozen=True)
class Choice:
    """One of a few unordered values."""

    values: tuple[object, ...]

    def __init__(self, *values: object) -> None:
        require(len(values) >= 2, "at least two values to choose from", values=values)
        object.__setattr__(self, "values", values)

    def sample(self, rng: np.random.Generator) -> object:
        """One of the values; all are equally likely."""
        return self.values[int(rng.integers(len(self.values)))]


Range = Float | Int | Choice
