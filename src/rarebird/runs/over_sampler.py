"""A resampling method as a generator, so that the gate can judge its new rows beside those of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from rarebird.core.compute import Compute
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Source
from rarebird.slots.methods import Method
from rarebird.slots.synthetic_rows import Generated


@dataclass(frozen=True)
class OverSampler:
    """A resampling that fills classes, asked for one class's rows.

    Attributes:
        resampling: The method; its ratio is not used.
    """

    resampling: Any
    ratio: float = 1.0
    weight: float = 1.0
    classes: tuple[str, ...] | None = None
    least_rows: ClassVar[int] = 2

    @property
    def name(self) -> str:
        """That of the resampling."""
        return str(self.resampling.name)

    def planned(self, train: Dataset, compute: Compute, seconds: float) -> Method:
        """The resampling as it is: it has no steps."""
        method: Method = self.resampling
        return method

    def fit(self, train: Dataset, compute: Compute, draw: np.random.Generator) -> Generated:
        """Nothing is learned; the rows are kept."""
        counts = train.class_counts
        assert counts is not None
        return Generated(self.name, train, _Filled(self.resampling, train), counts, self.least_rows)

    def restored(self, like: Dataset, state: Any, arrays: Any) -> Generated:
        """The rows are the state."""
        return self.fit(like, Compute(), np.random.default_rng(0))


@dataclass(frozen=True, eq=False)
class _Filled:
    """Rows that an over-sampler adds to a class."""

    resampling: Any
    train: Dataset

    def rows(self, code: int, n: int, draw: np.random.Generator) -> Source:
        """The new rows after a class was filled to the size of another one, repeated as often as it takes."""
        own, others = np.flatnonzero(self.train.codes == code), np.flatnonzero(self.train.codes != code)
        if not len(others):
            others = own
        larger = others[np.arange(len(own) + n) % len(others)]
        other = 0 if code else 1
        rest = replace(self.train.take(larger), y=np.full(len(larger), other))
        rows = replace(concat([replace(self.train.take(own), y=np.full(len(own), code)), rest]), weight=None)
        after = self.resampling.model_copy(update={"ratio": 1.0})(rows, draw)
        made = after.take(np.arange(len(rows), len(after))[:n])
        source: Source = type(made.source)(*_parts(made.raw()))
        return source

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing was learned."""
        return {}


def _parts(raw: Any) -> tuple[Any, ...]:
    return raw if isinstance(raw, tuple) else (raw,)
