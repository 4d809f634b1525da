"""What references made of trees share: how `fit` reads the training rows, and how many threads they get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from rarebird.slots.methods import Method

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs, RoundProgress

# With fewer rows for each thread, threads wait for one another longer than they work.
ROWS_PER_THREAD = 2_000


@dataclass(frozen=True, eq=False)
class TreeRows:
    """Training rows for trees.

    Attributes:
        x: Prepared inputs of a table.
        target: ``(n,)`` int64 class codes, or float32 standardized values for regression.
        weight: ``(n,)`` float32 sample weights.
        spec: Shapes of the rows.
    """

    x: Inputs
    target: np.ndarray
    weight: np.ndarray
    spec: InputSpec


class TreeReference(Method):
    """Settings of a reference made of trees; a subclass grows them in `grow`."""

    def fit(
        self,
        x: Inputs,
        y: Tensor,
        weight: Tensor,
        spec: InputSpec,
        *,
        rounds: int,
        seed: int,
        threads: int,
        progress: RoundProgress = lambda share: False,
    ) -> nn.Module:
        """Grow the trees.

        Args:
            x: Prepared training rows.
            y: ``(n, n_outputs)`` targets; a soft target counts as its most probable class.
            weight: ``(n,)`` sample weights.
            spec: Shapes of the rows.
            rounds: Boosting rounds, or trees of a forest.
            seed: Random seed.
            threads: CPU threads at most; the trees are the same with any number.
            progress: Called with the share done, 0..1, after each round; True from it ends the training early.
        """
        target = y[:, 0] if spec.task == "regression" else y.argmax(dim=1)
        rows = TreeRows(x, target.numpy(), weight.numpy(), spec)
        return self.grow(rows, rounds, seed, min(threads, max(1, len(y) // ROWS_PER_THREAD)), progress)

    def grow(self, rows: TreeRows, rounds: int, seed: int, threads: int, progress: RoundProgress) -> nn.Module:
        """The trees as a module; the arguments are those of `fit`."""
        raise NotImplementedError


def at_least_one_column(table: Tensor) -> Tensor:
    """The table ``(n, columns)`` itself, or one column of zeros where it has none."""
    return table if table.shape[1] else table.new_zeros(table.shape[0], 1)
