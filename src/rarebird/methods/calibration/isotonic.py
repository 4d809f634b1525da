"""Isotonic: any rising curve from stated to observed frequencies, one per class.

Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002: each
class against the rest gets the rising step function that fits held-out rows best (pool adjacent violators: Ayer et al.
1955), and the results are scaled to sum to 1.

*Helps when* held-out rows are many and probabilities err in a way that no formula of few numbers follows.

*Does not help when* a class has fewer than some hundred held-out rows: steps then follow noise (Niculescu-Mizil and
Caruana 2005).

Cost: a sort of the held-out rows per class.

NOTE[DIFF]: each step is pulled to its stated frequency with the weight of `prior_rows` rows, so that no step is 0 or 1;
between the middles of the steps, log-odds are interpolated, so that rows of different probability keep their order;
beyond the ends they are shifted. Steps that hold fewer than `ROWS_IN_STEP` rows are joined. Classes that held-out rows
do not show are left as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from rarebird.core.checks import require
from rarebird.methods.calibration._held_out_rows import among_seen, row_weights
from rarebird.methods.calibration.beta import log_odds_parts, log_odds_tensors, stack
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
ROWS_IN_STEP, MOST_STEPS = 20.0, 60
# Log-odds beyond these are as good as certain.
FARTHEST = 30.0


class FittedIsotonic(Fitted):
    """Per class, the log-odds at which the curve is known, and its values there; none leave the class as it is."""

    stated: tuple[tuple[float, ...], ...]
    observed: tuple[tuple[float, ...], ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, ``(n, n_classes) -> (n, n_classes)``."""
        sizes = {"classes": logits.shape[1], "curves": len(self.stated), "values": len(self.observed)}
        require(len(set(sizes.values())) == 1, "one curve per class", **sizes)
        seen = np.array([bool(knots) for knots in self.stated])
        if seen.sum() < 2:
            return logits.astype(np.float64)
        (u, v), total = log_odds_parts(logits[:, seen])
        mapped: np.ndarray = logits.astype(np.float64) - total[:, None]
        for place, code in enumerate(np.flatnonzero(seen)):
            odds = _along(u[:, place] - v[:, place], np.array(self.stated[code]), np.array(self.observed[code]))
            mapped[:, code] = -np.logaddexp(0.0, -odds)
        return mapped

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        from torch.nn.functional import logsigmoid

        seen = [code for code, knots in enumerate(self.stated) if knots]
        if len(seen) < 2:
            return logits
        (own, rest), total = log_odds_tensors(logits[:, seen])
        parts = list((logits - total[:, None]).unbind(dim=1))
        for place, code in enumerate(seen):
            odds = own[:, place] - rest[:, place]
            parts[code] = logsigmoid(_along_tensors(odds, self.stated[code], self.observed[code]))
        return stack(parts)


class Isotonic(Method):
    """How strongly each step is pulled towards its stated frequency.

    Attributes:
        prior_rows: Weight of the stated frequency in each step, in rows.
    """

    per_network: ClassVar[bool] = False
    fitted: ClassVar[type[Fitted]] = FittedIsotonic

    prior_rows: Annotated[float, Float(1, 50, log=True)] = Field(default=5.0, gt=0)

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedIsotonic:
        """Fit the curves on held-out rows.

        Args:
            logits: ``(n, n_classes)``.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            prior_factor: Not used, as the curves find the prior of the rows.
        """
        z, codes, rows, seen = among_seen(logits.astype(np.float64), y, row_weights(logits, y, weight))
        stated: list[tuple[float, ...]] = [()] * len(seen)
        observed = list(stated)
        if seen.sum() > 1:
            # A row without weight has no frequency.
            z, codes, rows = z[rows > 0], codes[rows > 0], rows[rows > 0]
            (u, v), _ = log_odds_parts(z)
            for place, code in enumerate(np.flatnonzero(seen)):
                odds = np.clip(u[:, place] - v[:, place], -FARTHEST, FARTHEST)
                stated[code], observed[code] = _curve(odds, codes == place, rows, self.prior_rows)
        return FittedIsotonic(stated=tuple(stated), observed=tuple(observed))


def _curve(
    odds: np.ndarray, hit: np.ndarray, weight: np.ndarray, prior_rows: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Middles of the steps and the curve's log-odds there, both rising."""
    p = 1 / (1 + np.exp(-odds))
    steps = _steps(p, hit, weight)
    rows, stated, hits = (np.bincount(steps, part) for part in (weight, weight * p, weight * hit))
    middle = stated / rows
    share = np.maximum.accumulate((hits + prior_rows * middle) / (rows + prior_rows))
    both = [np.log(one / (1 - one)) for one in (np.clip(part, 1e-12, 1 - 1e-12) for part in (middle, share))]
    return tuple(both[0].tolist()), tuple(both[1].tolist())


def _steps(p: np.ndarray, hit: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n,)`` the step of each row: those of the best rising function, joined to hold enough rows and to be few."""
    from scipy.optimize import isotonic_regression

    value, place = np.unique(p, return_inverse=True)
    rows = np.bincount(place, weight)
    fitted = isotonic_regression(np.bincount(place, weight * hit) / rows, weights=rows).x
    # A step ends where the fitted value rises, once it holds enough rows.
    least = max(ROWS_IN_STEP, float(rows.sum()) / MOST_STEPS)
    steps, number, held = np.zeros(len(value), dtype=np.int64), 0, 0.0
    left = float(rows.sum())
    for at in range(len(value)):
        if at and held >= least and left >= least and fitted[at] > fitted[at - 1]:
            number, held = number + 1, 0.0
        steps[at], held, left = number, held + rows[at], left - rows[at]
    joined: np.ndarray = steps[place]
    return joined


def _along_tensors(odds: Tensor, stated: Sequence[float], observed: Sequence[float]) -> Tensor:
    """`_along` in torch operations: a sum of clipped pieces, one between each two neighboring knots; a jump where two
    knots are at one place."""
    found = observed[0] + (odds - stated[0]).clamp(max=0) + (odds - stated[-1]).clamp(min=0)
    for place in range(len(stated) - 1):
        width, rise = stated[place + 1] - stated[place], observed[place + 1] - observed[place]
        way = (odds - stated[place]).clamp(0, width) / width if width > 0 else (odds >= stated[place]).to(odds)
        found = found + rise * way
    return found


def _along(odds: np.ndarray, stated: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The curve's log-odds: linear between the steps' middles, and shifted as the nearest end beyond them."""
    inside = np.interp(odds, stated, observed)
    beyond = np.where(odds < stated[0], odds - stated[0], np.where(odds > stated[-1], odds - stated[-1], 0.0))
    return np.asarray(inside + beyond)
