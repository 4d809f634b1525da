"""Class scale and bias: two numbers per class, for a network whose prior is unknown.

"Vector scaling" in Guo et al., "On calibration of modern neural networks", ICML 2017: ``softmax(scale * logits +
bias)``, both per class, fitted by the log loss of rows the network has not seen.

*Helps when* the loss has no known prior (focal, margins), so that `prior_correction` cannot remove it: the biases find
the natural prior.

*Does not help when* held-out rows are few: two numbers per class need more rows than `temperature`, and two rows of a
class determine neither.

Cost: about ten Newton steps, each a product of the held-out probabilities with themselves.

NOTE[DIFF]: the paper's map is fitted without a penalty. Here a class's scale is a common scale plus a deviation. The
common scale is pulled towards 1, as in `temperature`; a ridge pulls deviations and biases towards 0, the biases weakly,
as they are what should be found. Without rows it is the identity. Logits are centered per row first, as the paper's map
depends on a constant that the softmax ignores. Where held-out rows show only some of the classes, the map is fitted to
the probabilities among these; each other class keeps the common scale, and its odds against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from rarebird.core.checks import require
from rarebird.methods.calibration._held_out_rows import among_seen, row_weights
from rarebird.methods.calibration.temperature import HIGHEST, LOWEST
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
COMMON_ROWS = 5.0
# Newton steps, and halvings of one, at most; the share of the loss that a step must promise.
MOST_STEPS, MOST_HALVINGS, PRECISION = 100, 40, 1e-13


class FittedClassScaleBias(Fitted):
    """``scale * (logits - their mean) + bias``, per class."""

    scale: tuple[float, ...]
    bias: tuple[float, ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, ``(n, n_classes) -> (n, n_classes)``."""
        sizes = {"classes": logits.shape[1], "scales": len(self.scale), "biases": len(self.bias)}
        require(len(set(sizes.values())) == 1, "one scale and bias per class", **sizes)
        scaled: np.ndarray = centered(logits) * np.array(self.scale) + np.array(self.bias)
        return scaled

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        centered_logits = logits - logits.mean(dim=1, keepdim=True)
        return centered_logits * logits.new_tensor(self.scale) + logits.new_tensor(self.bias)


class ClassScaleBias(Method):
    """How strongly the map is pulled towards one common scale without biases.

    Attributes:
        scale_rows: Strength of the ridge on each class's deviation from the common scale, in rows.
        bias_rows: Strength of the ridge on each class's bias, in rows.
    """

    per_network: ClassVar[bool] = False
    fitted: ClassVar[type[Fitted]] = FittedClassScaleBias

    scale_rows: Annotated[float, Float(1, 100, log=True)] = Field(default=20.0, gt=0)
    bias_rows: Annotated[float, Float(0.05, 20, log=True)] = Field(default=0.5, gt=0)

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedClassScaleBias:
        """Fit scale and bias on held-out rows.

        Args:
            logits: ``(n, n_classes)``.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            prior_factor: Not used, as the biases are learned from the rows.
        """
        scale, bias = scale_and_bias(logits, y, weight, (self.scale_rows, self.bias_rows))
        return FittedClassScaleBias(scale=tuple(scale.tolist()), bias=tuple(bias.tolist()))


def scale_and_bias(
    logits: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and bias ``(n_classes,)`` that minimize `penalized_loss` over the rows and their classes; for a class that
    no row shows, the common scale and the bias that leaves its odds against the others as they are, on average.

    Args:
        logits: ``(n, n_classes)``.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` sample weights; whole numbers count rows.
        ridge: Strength on each class's deviation from the common scale, and on its bias; in rows.
    """
    z, y, weight, seen = among_seen(centered(logits), y, row_weights(logits, y, weight))
    scale, bias, n_classes = np.ones(len(seen)), np.zeros(len(seen)), int(seen.sum())
    if n_classes < 2:
        return scale, bias
    found = _minimum(z, y, weight, ridge)
    scale[:] = found[0]
    scale[seen] += found[1 : n_classes + 1]
    bias[seen] = found[n_classes + 1 :]
    if not seen.all():
        bias[~seen] = np.average(_log_total(z * scale[seen] + bias[seen]) - _log_total(z * found[0]), weights=weight)
    return scale, bias


def _minimum(z: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: tuple[float, float]) -> np.ndarray:
    """``(1 + 2 n_classes,)`` the parameters that minimize `penalized_loss`, by Newton's method with halved steps.

    With 200 classes a quasi-Newton method needs some 200 passes over the rows, Newton's about ten.
    """
    from scipy.linalg import solve

    at = np.zeros(1 + 2 * z.shape[1])
    at[0], bounds = 1.0, (1 / HIGHEST, 1 / LOWEST)
    value, gradient = penalized_loss(at, z, y, weight, ridge)
    for _ in range(MOST_STEPS):
        free = np.ones(len(at), dtype=bool)
        free[0] = not (at[0] <= bounds[0] and gradient[0] > 0) and not (at[0] >= bounds[1] and gradient[0] < 0)
        step = np.zeros(len(at))
        step[free] = -solve(curvature(at, z, weight, ridge)[np.ix_(free, free)], gradient[free], assume_a="pos")
        promised = -float(gradient @ step)
        if promised <= PRECISION * (1 + abs(value)):
            break
        for halvings in range(MOST_HALVINGS):
            trial = at + 0.5**halvings * step
            trial[0] = np.clip(trial[0], *bounds)
            reached = penalized_loss(trial, z, y, weight, ridge)
            if reached[0] <= value - 1e-4 * 0.5**halvings * promised:
                break
        else:
            break  # no shorter step is lower: this is the minimum to the last digits
        at, (value, gradient) = trial, reached
    return at


def _log_total(logits: np.ndarray) -> np.ndarray:
    """``(n,)`` the logarithm of the sum of the exponentials of each row."""
    total: np.ndarray = np.logaddexp.reduce(logits, axis=1)
    return total


def penalized_loss(
    parameters: np.ndarray, z: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: tuple[float, float]
) -> tuple[float, np.ndarray]:
    """The penalized log loss of the rows, and its gradient.

    ``sum_i w_i nll_i + COMMON_ROWS (c - log c) + (ridge_0 |d|^2 + ridge_1 |bias|^2) / 2`` with ``scale = c + d``. It is
    strictly convex, so that the order of the classes changes nothing.

    Args:
        parameters: ``(1 + 2 n_classes,)``: c, each class's d, each class's bias.
        z: ``(n, n_classes)`` centered logits.
        y: ``(n,)`` int class codes.
        weight: ``(n,)`` weights, in rows.
        ridge: Strength on d, and on the bias.
    """
    n_classes, rows = z.shape[1], np.arange(len(y))
    ridges = np.concatenate([[0.0], np.repeat(ridge, n_classes)])
    common, scaled = parameters[0], _scaled(parameters, z)
    p = np.exp(scaled)
    total = p.sum(axis=1)
    value = (
        weight @ (np.log(total) - scaled[rows, y])
        + COMMON_ROWS * (common - np.log(common))
        + ridges @ np.square(parameters) / 2
    )
    p *= (weight / total)[:, None]
    p[rows, y] -= weight
    by_scale = np.einsum("nk,nk->k", p, z)
    gradient = np.concatenate([[by_scale.sum() + COMMON_ROWS * (1 - 1 / common)], by_scale, p.sum(axis=0)])
    return float(value), gradient + ridges * parameters


def curvature(parameters: np.ndarray, z: np.ndarray, weight: np.ndarray, ridge: tuple[float, float]) -> np.ndarray:
    """``(1 + 2 n_classes, 1 + 2 n_classes)`` second derivatives of `penalized_loss`, with the same arguments."""
    n_classes, common = z.shape[1], parameters[0]
    p = np.exp(_scaled(parameters, z))
    p *= (np.sqrt(weight) / p.sum(axis=1))[:, None]
    # Of each row: diag(p) - p p^T, with the logit's derivative by the class's scale, z, and by its bias, 1.
    # Single precision makes a step less exact, but not where the steps end.
    by = np.concatenate([p * z, p], axis=1).astype(np.float32)
    second = -(by.T @ by).astype(np.float64)
    p *= np.sqrt(weight)[:, None]
    scales, biases = np.arange(n_classes), np.arange(n_classes, 2 * n_classes)
    cross = np.einsum("nk,nk->k", p, z)
    second[scales, scales] += np.einsum("nk,nk,nk->k", p, z, z)
    second[scales, biases] += cross
    second[biases, scales] += cross
    second[biases, biases] += p.sum(axis=0)
    of_common = second[:n_classes].sum(axis=0)
    whole = np.block([[of_common[:n_classes].sum() + COMMON_ROWS / common**2, of_common], [of_common[:, None], second]])
    whole[np.arange(1, len(whole)), np.arange(1, len(whole))] += np.repeat(ridge, n_classes)
    return whole


def _scaled(parameters: np.ndarray, z: np.ndarray) -> np.ndarray:
    """``(n, n_classes)`` scaled and biased logits, less the largest of each row."""
    n_classes = z.shape[1]
    scaled: np.ndarray = z * (parameters[0] + parameters[1 : n_classes + 1]) + parameters[n_classes + 1 :]
    scaled -= scaled.max(axis=1, keepdims=True)
    return scaled


def centered(logits: np.ndarray) -> np.ndarray:
    """Logits less their mean per row, in float64."""
    exact: np.ndarray = logits.astype(np.float64)
    exact -= exact.mean(axis=1, keepdims=True)
    return exact
