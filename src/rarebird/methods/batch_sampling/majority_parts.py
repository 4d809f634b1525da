"""Every class cut down to about the rarest one's size, with another part of the larger classes each time.

The idea of EasyEnsemble (Liu, Wu and Zhou, "Exploratory undersampling for class-imbalance learning", IEEE Transactions
on Systems, Man, and Cybernetics B 2009). A part holds at most ``ratio`` times the rarest class's rows of each class;
parts follow one another, and no row is repeated before all rows of its class were drawn. In cross-fitting each model
starts at another part, so that the average of models with few steps has seen more of the majority than any of them.

*Helps when* one class is so large that most of its rows are alike, and steps are few: rare rows are seen in every part,
and the variety of the majority is not lost as by random under-sampling.

*Does not help when* the rarest class has only a few rows: the network memorizes them before it has seen the whole
majority once.

Cost: one sort per cycle of parts.

NOTE[DIFF]: EasyEnsemble trains one boosted ensemble on each part and averages them; here one network passes over all
parts, and averaging is left to cross-fitting. All parts of a cycle are planned at once, so that an epoch of this
sampler is a whole cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.methods.batch_sampling._shares import class_codes, drawn_per_class, occupied, rows_per_class, scaled
from rarebird.methods.batch_sampling.shuffled import even_batches
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float
from rarebird.slots.sampling_state import SamplingState

KINDS = ("image", "table", "series")
# Largest number of draws of a cycle; heavy weights would otherwise fill the memory.
MOST_DRAWS = 2**24


class MajorityParts(Method):
    """Settings.

    Attributes:
        ratio: Largest number of rows of a class in a part, as a multiple of the rarest class's.
    """

    draws_by_weight: ClassVar[bool] = True

    ratio: Annotated[float, Float(1, 10, log=True), Field(ge=1)] = 1.0

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, which is balanced; three majority rows for each rare one."""
        return [cls(), cls(ratio=3)]

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next cycle's batches, each ``(about batch_size,)`` int64 positions; `y` has ``(n,)`` codes or ``(n,
        n_classes)`` targets."""
        cycle = parts(class_codes(y, self.name), self.ratio, rng, state.rows)
        yield from even_batches(np.roll(cycle, -state.fold, axis=0).ravel(), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray:
        """A class's rows in a part divided by all of its rows, scaled to mean 1 over the training rows; a class without
        rows counts as one row."""
        counts = occupied(class_counts)
        rarest = class_counts[class_counts > 0].min()
        return scaled(part_sizes(counts, rarest, self.ratio) / counts, class_counts)


def parts(codes: np.ndarray, ratio: float, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
    """``(n_parts, part)`` positions: enough parts for each row to be in at least one; within a part, classes are mixed
    evenly.

    Args:
        codes: ``(n,)`` class codes.
        ratio: Largest number of rows of a class in a part, as a multiple of the rarest class's.
        rng: Source of the draws.
        rows: ``(n,)`` how many rows each row counts for, and is drawn for; None where each counts for one.
    """
    counts = rows_per_class(codes, rows)
    sizes = part_sizes(counts, counts.min(), ratio)
    n_parts = max(1, min(int((-(-counts // sizes)).max()), MOST_DRAWS // int(sizes.sum())))
    drawn = drawn_per_class(codes, n_parts * sizes, rng, rows)
    cycle = np.concatenate([own.reshape(n_parts, size) for own, size in zip(drawn, sizes, strict=True)], axis=1)
    when = np.concatenate([(np.arange(size) + rng.random((n_parts, size))) / size for size in sizes], axis=1)
    ordered: np.ndarray = np.take_along_axis(cycle, np.argsort(when, axis=1, kind="stable"), axis=1)
    return ordered


def part_sizes(counts: np.ndarray, rarest: float, ratio: float) -> np.ndarray:
    """``(n_classes,)`` rows of each class in a part: whole numbers, at least 1."""
    sizes = np.minimum(counts, round(ratio * rarest))
    shrunk = np.minimum(1.0, MOST_DRAWS / sizes.sum()) * sizes
    whole: np.ndarray = np.maximum(np.rint(shrunk), 1).astype(np.int64)
    return whole
