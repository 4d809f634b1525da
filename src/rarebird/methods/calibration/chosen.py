"""Chosen: temperature with a scale and bias per class, beta or isotonic, whichever has the least held-out log loss.

Each is fitted on some held-out rows and scored on the others, crosswise in three parts (Dawid 1984 on sequential
prediction; Gruber and Buettner 2022 compare calibrations by proper scores). Another than the first is taken only where
it is better by more than one standard error of the paired difference (Breiman et al. 1984), and where each class has
rows enough.

*Helps when* held-out rows are many and it is not known which map fits: the rows choose, not the user.

*Does not help when* a class has fewer than `fewest` held-out rows: the first one is then taken without a comparison.

Cost: nine fits on at most 3000 rows, and one on all.

NOTE: the parts take every third row of each class in the order of its own probability, so that neither the order of
rows nor that of classes matters, and copies of a row are in one part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from rarebird.methods.calibration._held_out_rows import row_weights
from rarebird.methods.calibration.beta import log_odds_parts
from rarebird.slots import methods
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
FIRST: tuple[str, ...] = ("temperature", "class_scale_bias")
OTHERS: tuple[tuple[str, ...], ...] = (("beta",), ("isotonic",))
PARTS, MOST_ROWS = 3, 3000


class FittedChosen(Fitted):
    """The calibrations that were chosen, in order: names and fitted values' fields."""

    steps: tuple[tuple[str, dict[str, Any]], ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, ``(n, n_classes) -> (n, n_classes)``."""
        for name, values in self.steps:
            fitted: Any = methods.load("calibration", name).fitted  # type: ignore[attr-defined]
            logits = fitted(**values)(logits)
        return logits

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        for name, values in self.steps:
            fitted: Any = methods.load("calibration", name).fitted  # type: ignore[attr-defined]
            logits = fitted(**values).on_tensors(logits)
        return logits


class Chosen(Method):
    """From how many rows on there is a choice.

    Attributes:
        fewest: The least held-out rows of each class.
    """

    per_network: ClassVar[bool] = False
    fitted: ClassVar[type[Fitted]] = FittedChosen

    fewest: int = Field(default=200, ge=2)

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedChosen:
        """Choose, and fit what is chosen on all held-out rows.

        Args:
            logits: ``(n, n_classes)``.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            prior_factor: Not used.
        """
        rows = row_weights(logits, y, weight)
        counts = np.bincount(y, rows, logits.shape[1]).astype(np.float64)
        names = FIRST if counts.min() < self.fewest else _best(logits, y, rows)
        return FittedChosen(steps=tuple(_chain(names, logits, y, weight)))


def _best(logits: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[str, ...]:
    """The names of the calibrations with the least loss on rows that they were not fitted to."""
    seen = rows > 0
    logits, y, rows = logits[seen], y[seen], rows[seen]
    part = _parts(logits, y)
    kept = _thinned(y)
    # Rows that are left out count with the others of their class.
    before, after = (np.bincount(y[chosen], rows[chosen], logits.shape[1]) for chosen in (slice(None), kept))
    rows = rows * np.divide(before, after, out=np.ones(len(before)), where=after > 0)[y]
    logits, y, rows, part = logits[kept], y[kept], rows[kept], part[kept]
    losses = {names: _losses(names, logits, y, rows, part) for names in (FIRST, *OTHERS)}
    best = FIRST
    for names in OTHERS:
        gain = losses[best] - losses[names]
        mean = float(np.average(gain, weights=rows))
        error = float(np.sqrt(np.average((gain - mean) ** 2, weights=rows) / max(rows.sum() - 1, 1)))
        best = names if mean > error else best
    return best


def _losses(
    names: tuple[str, ...], logits: np.ndarray, y: np.ndarray, rows: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """``(n,)`` the log loss of each row by calibrations that were fitted on the other parts."""
    losses = np.empty(len(y))
    for one in range(PARTS):
        mine = part == one
        mapped = logits[mine]
        for name, values in _chain(names, logits[~mine], y[~mine], rows[~mine]):
            mapped = methods.load("calibration", name).fitted(**values)(mapped)  # type: ignore[attr-defined]
        own, _ = log_odds_parts(mapped)
        losses[mine] = -own[0][np.arange(mine.sum()), y[mine]]
    return losses


def _chain(
    names: tuple[str, ...], logits: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> list[tuple[str, dict[str, Any]]]:
    """Calibrations that are fitted one after the other."""
    chain = []
    for name in names:
        method: Any = methods.build("calibration", {"name": name})
        fitted = method.fit(logits, y, weight, None)
        chain.append((name, fitted.model_dump(mode="json")))
        logits = fitted(logits)
    return chain


def _parts(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(n,)`` the part of each row; equal rows are in one part."""
    (own, _), _ = log_odds_parts(logits)
    value, part = own[np.arange(len(y)), y].round(9), np.empty(len(y), dtype=np.int64)
    for code in np.unique(y):
        mine = y == code
        part[mine] = np.unique(value[mine], return_inverse=True)[1] % PARTS
    return part


def _thinned(y: np.ndarray) -> np.ndarray:
    """The positions of at most `MOST_ROWS` rows, as many of each class as there are, or an equal share."""
    share = MOST_ROWS // len(np.unique(y))
    chosen = []
    for code in np.unique(y):
        mine = np.flatnonzero(y == code)
        chosen.append(mine[np.linspace(0, len(mine) - 1, min(share, len(mine))).round().astype(int)])
    return np.sort(np.concatenate(chosen))
