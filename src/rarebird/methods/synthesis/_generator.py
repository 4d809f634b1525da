"""What every generator shares: its settings, the choice of the part that serves the kind of the rows, and how many
steps fit into a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self

import numpy as np
from pydantic import Field

from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data.dataset import Dataset
from rarebird.slots.methods import Method, kinds
from rarebird.slots.ranges import Float
from rarebird.slots.synthetic_rows import Generated, Sampler

# Steps of the two measured trainings, rows that are drawn to measure a draw, and the share of the time that is planned:
# the rest is a reserve for a shared machine.
MEASURED_STEPS, MEASURED_ROWS, PLANNED_SHARE = (2, 6), 20, 0.8


class Part(Protocol):
    """The module of a method for one kind of data."""

    def fit(self, settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> Sampler: ...

    def restore(
        self, settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Sampler: ...


class Generator(Method):
    """Settings that all generators have; a subclass names the module that serves each kind in `part`.

    Attributes:
        ratio: Rows that each class has at least after it, as a share of the largest class's.
        weight: Of a new row, relative to the mean weight of the real rows of its class.
        classes: The classes that get rows. None: a run fills those that pass the gate, and records them here; any other
            training fills all.
    """

    ratio: Annotated[float, Float(0.05, 1.0, log=True)] = Field(default=1.0, ge=0, le=1)
    weight: Annotated[float, Float(0.2, 1.0)] = Field(default=1.0, gt=0, le=1)
    classes: tuple[str, ...] | None = None
    # Training rows that a class needs.
    least_rows: ClassVar[int] = 1
    if TYPE_CHECKING:
        # Each subclass declares it, with a range of its own.
        steps: int = 1

    @classmethod
    def neutral(cls) -> Self:
        """The settings that add no row."""
        return cls(ratio=0)

    def part(self, kind: str) -> Part:
        """The module for one kind of data; imported here, so that torch is loaded only where it is used."""
        raise NotImplementedError

    def fit(self, train: Dataset, compute: Compute, draw: np.random.Generator) -> Generated:
        """Learn from these rows.

        Raises:
            DataError: The target is a number, or the method does not serve this kind of data.
        """
        if train.task != "classification":
            raise DataError(
                f"{train.name} has a numerical target, but the synthesis {self.name!r} is for classes; leave it out."
            )
        if train.kind not in kinds(self.slot, self.name):
            raise DataError(f"The synthesis {self.name!r} does not serve data of kind {train.kind!r}.")
        return self._generated(train, self.part(train.kind).fit(self, train, compute, draw))

    def restored(self, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Generated:
        """The generator from what its sampler gave for JSON and arrays.

        Raises:
            DataError: They are not those of such a generator.
        """
        try:
            sampler = self.part(like.kind).restore(self, like, state, arrays)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(f"This is no generator of the method {self.name!r} for {like.name}: {error}") from None
        return self._generated(like, sampler)

    def planned(self, train: Dataset, compute: Compute, seconds: float) -> Self:
        """The settings with at most as many steps as end within a time; the draws for filling the classes count, too.

        Two short trainings are measured: what is done only once, and a step.
        """
        few, more = (min(steps, self.steps) for steps in MEASURED_STEPS)
        silent = Compute(compute.device)
        start = time.monotonic()
        self.model_copy(update={"steps": 1}).fit(train, silent, np.random.default_rng(0))
        if time.monotonic() - start > PLANNED_SHARE * seconds:
            return self.model_copy(update={"steps": 1})
        taken = []
        for steps in (few, more):
            start = time.monotonic()
            fitted = self.model_copy(update={"steps": steps}).fit(train, silent, np.random.default_rng(0))
            taken.append(time.monotonic() - start)
        # On a shared machine the difference of two short times may be 0 or less.
        each = max((taken[1] - taken[0]) / max(more - few, 1), taken[1] / more**2)
        left = PLANNED_SHARE * seconds - max(taken[0] - few * each, 0.0) - _drawing_seconds(fitted, self.ratio)
        return self.model_copy(update={"steps": max(1, min(self.steps, int(left / each)))})

    def _generated(self, rows: Dataset, sampler: Sampler) -> Generated:
        counts = rows.class_counts
        assert counts is not None
        return Generated(self.name, rows, sampler, counts, type(self).least_rows)


def _drawing_seconds(fitted: Generated, ratio: float) -> float:
    """About how long the draws take that fill the classes."""
    code = int(np.argmax(fitted.able))
    start = time.monotonic()
    fitted.sample(code, MEASURED_ROWS, np.random.default_rng(0))
    lack = np.maximum(ratio * fitted.counts.max() - fitted.counts, 0)[fitted.able].sum()
    return float(lack) * (time.monotonic() - start) / MEASURED_ROWS


def reported(compute: Compute, name: str, start: float = 0.0, share: float = 1.0) -> Any:
    """A callback ``(share done) -> whether to stop``, which names the method to whoever waits.

    Args:
        compute: Its progress is told.
        name: Of the method.
        start, share: The part of the whole that is reported.
    """
    told = part_of(compute.progress, start, share)
    return lambda done: told(done, f"synthesis: {name}")
