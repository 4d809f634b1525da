"""Temperature: one number that makes a network as confident as it is accurate.

Guo et al., "On calibration of modern neural networks", ICML 2017: ``softmax(logits / T)`` with the T that minimizes the
log loss of rows the network has not seen. The ranking of the classes, and so the accuracy, does not change.

*Helps when* a network is over- or underconfident to the same degree everywhere, as networks usually are that train
beyond the best log loss.

*Does not help when* the network favors some classes (wrong prior: `prior_correction`; unknown prior:
`class_scale_bias`).

Cost: a few passes over the held-out logits.

NOTE[DIFF]: few rows determine T badly, and T would become 0 if all rows are predicted correctly. So ``1 / T`` has a
Gamma prior with its mode at 1 and the weight of `prior_rows` rows, and T stays within 0.05 .. 20. The penalized loss is
strictly convex in ``1 / T``, so its minimum is unique. Where held-out rows show only some of the classes, the loss is
that of the probabilities among these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from rarebird.methods.calibration._held_out_rows import among_seen, row_weights
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
LOWEST, HIGHEST = 0.05, 20.0


class FittedTemperature(Fitted):
    """``logits / temperature``."""

    temperature: float = Field(ge=LOWEST, le=HIGHEST)

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, ``(n, n_classes) -> (n, n_classes)``."""
        return logits / self.temperature

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        return logits / self.temperature


class Temperature(Method):
    """How strongly T is pulled towards 1.

    Attributes:
        prior_rows: Weight of the prior on ``1 / T``, in rows; 0 fits the rows alone.
    """

    per_network: ClassVar[bool] = False
    fitted: ClassVar[type[Fitted]] = FittedTemperature

    prior_rows: Annotated[float, Float(0.5, 50, log=True)] = Field(default=5.0, ge=0)

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedTemperature:
        """Fit T on held-out rows.

        Args:
            logits: ``(n, n_classes)``.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            prior_factor: Not used, as T does not change the prior.
        """
        return FittedTemperature(temperature=best_temperature(logits, y, weight, self.prior_rows))


def best_temperature(logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_rows: float) -> float:
    """The temperature that minimizes ``sum_i w_i nll_i + prior_rows * (b - log b)``, ``b = 1 / T``; ``w``
    counts rows."""
    weight = row_weights(logits, y, weight)
    if not weight.any():
        return 1.0
    logits, y, weight, _ = among_seen(logits, y, weight)
    margins = logits.astype(np.float64) - logits[np.arange(len(y)), y][:, None]
    low, high = 1 / HIGHEST, 1 / LOWEST
    b = 1.0
    for iteration in range(60):
        slope, curvature = _derivatives(b, margins, weight, prior_rows)
        low, high = (low, b) if slope > 0 else (b, high)
        newton = b - slope / curvature if curvature > 0 else low
        # Newton's step if it stays in the bracket around the root of the slope, otherwise bisection. After 20 steps
        # always bisection: without a prior, Newton is slow on rows that are all predicted correctly.
        new = newton if low < newton < high and iteration < 20 else (low + high) / 2
        if abs(new - b) <= 1e-10 * b:
            break
        b = new
    return float(np.clip(1 / b, LOWEST, HIGHEST))


def _derivatives(b: float, margins: np.ndarray, weight: np.ndarray, prior_rows: float) -> tuple[float, float]:
    """First and second derivative in b; `margins` are the logits minus that of the true class, so that ``nll =
    logsumexp(b * margins)``."""
    scaled = b * margins
    p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    mean = (p * margins).sum(axis=1)
    variance = (p * np.square(margins - mean[:, None])).sum(axis=1)
    return float(weight @ mean + prior_rows * (1 - 1 / b)), float(weight @ variance + prior_rows / b**2)
