"""Rows with a large loss are drawn more often, up to a limit.

Loshchilov and Hutter, "Online batch selection for faster training of neural networks", ICLR workshop 2016;
Katharopoulos and Fleuret, "Not all samples are created equal: deep learning with importance sampling", ICML 2018. With
l_i row i's loss when it was last in a batch, the expected draws of a row in an epoch are ``uniform + (1 - uniform)
min(c l_i, most)``, c such that their mean is 1. Rows that have not been seen are drawn once, so that the first epoch
has the natural mix.

*Helps when* most rows are learned early and steps are few: more steps go to rare and hard rows, whatever their class.
Works for regression, too.

*Does not help when* labels are noisy: rows with wrong labels have the largest losses. `uniform` and `most` limit how
often they are drawn, by default to 2.5 times their share of the rows.

Cost: one sort of the rows' last losses per epoch.

NOTE[DIFF]: gradients are not divided by the number of draws (Katharopoulos and Fleuret do, which keeps the natural
prior and the mean loss); the purpose here is to weight hard rows more. So the prior of the logits is unknown, and
`prior_factor` is None. Draws are in proportion to the losses, where Loshchilov and Hutter take ranks, and a loss is as
old as the row's last draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from rarebird.methods.batch_sampling._shares import rounded
from rarebird.methods.batch_sampling.shuffled import even_batches
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float
from rarebird.slots.sampling_state import SamplingState

KINDS = ("image", "table", "series")
# Smaller losses count as this share of the largest loss, so that rows without a loss are still drawn sometimes.
_FLOOR = 1e-6


class ByLoss(Method):
    """Settings.

    Attributes:
        uniform: Share of the draws that do not depend on the loss.
        most: Limit on a row's draws in an epoch among those that do, as a multiple of the mean.
    """

    reads_last_loss: ClassVar[bool] = True

    uniform: Annotated[float, Float(0.2, 0.9), Field(ge=0, le=1)] = 0.5
    most: Annotated[float, Float(2, 10, log=True), Field(gt=1)] = 4.0

    @classmethod
    def neutral(cls) -> Self:
        """The settings that draw each row once."""
        return cls(uniform=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; nearly by the loss alone."""
        return [cls(), cls(uniform=0.1, most=10)]

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]:
        """The next epoch's batches, each ``(about batch_size,)`` int64 positions into the training rows."""
        loss = np.full(len(y), np.nan) if state.last_loss is None else state.last_loss
        rows = np.ones(len(y)) if state.rows is None else state.rows
        times = rounded(expected_draws(loss, rows, self.uniform, self.most), rng)
        yield from even_batches(rng.permutation(np.repeat(np.arange(len(y)), times)), batch_size)

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray | None:
        """None, as the draws of a class depend on how well it is learned; ones where no draw depends on the loss."""
        return np.ones(len(class_counts)) if self.uniform == 1 else None


def expected_draws(loss: np.ndarray, rows: np.ndarray, uniform: float, most: float) -> np.ndarray:
    """``(n,)`` draws of each row in an epoch, with mean 1 over all rows that the rows count for.

    Args:
        loss: ``(n,)`` last losses; a row whose loss is not finite counts as not seen.
        rows: ``(n,)`` how many rows each row counts for; the loss weighs its draws by that.
        uniform: Share of the draws that do not depend on the loss.
        most: Limit on a row's draws among those that do, above 1.
    """
    draws = np.ones(len(loss))
    seen = np.isfinite(loss)
    if seen.any():
        draws[seen] = uniform + (1 - uniform) * capped(loss[seen], rows[seen], most)
    return draws


def capped(loss: np.ndarray, rows: np.ndarray, most: float) -> np.ndarray:
    """``(n,)`` numbers with mean 1 over `rows`, in proportion to `loss`, but none above `most` (water-filling)."""
    largest = loss.max()
    if largest <= 0:
        return np.ones(len(loss))
    level = np.maximum(loss, _FLOOR * largest)
    order = np.argsort(level)
    ascending = rows[order]
    descending = level[order][::-1]
    rest = np.cumsum(ascending * level[order])[::-1]
    at_limit = np.cumsum(ascending[::-1]) - ascending[::-1]
    # With the k largest at the limit, the others share the rest; the right k is the first at which none of the others
    # is above the limit.
    scale = (rows.sum() - most * at_limit) / rest
    k = int(np.argmax(scale * descending <= most))
    draws: np.ndarray = np.minimum(scale[k] * level, most)
    return draws
