"""Beta: three numbers per class, which bend probabilities near 0 and near 1 in different ways.

Kull, Silva Filho and Flach, "Beta calibration: a well-founded and easily implemented improvement on logistic
calibration for binary classifiers", AISTATS 2017: ``a log p - b log(1 - p) + c``. For more classes each has its own
three numbers, one against the rest, and the softmax joins them; all are fitted together by the log loss of rows the
network has not seen.

*Helps when* probabilities are wrong in different ways at the two ends, as those of averaged trees are (too moderate),
or those of a rare class: `temperature` bends both alike.

*Does not help when* held-out rows are few: three numbers per class need more rows than `temperature`.

Cost: a few dozen passes over the held-out logits.

NOTE[DIFF]: the paper's map is fitted without a penalty. Here a ridge pulls a to 1, b to 0 and c to 0, which is the
identity; c weakly. Signs of a and b are free. Where held-out rows show only some of the classes, the map is fitted
among these; each other class keeps its odds against them, on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from rarebird.core.checks import require
from rarebird.methods.calibration._held_out_rows import among_seen, row_weights
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")
BIAS_ROWS = 0.5


class FittedBeta(Fitted):
    """``a log p - b log(1 - p) + c`` per class, among the classes that held-out rows show."""

    a: tuple[float, ...]
    b: tuple[float, ...]
    c: tuple[float, ...]
    seen: tuple[bool, ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated logits, ``(n, n_classes) -> (n, n_classes)``."""
        sizes = {"classes": logits.shape[1], "a": len(self.a), "b": len(self.b), "c": len(self.c)}
        require(len(set(sizes.values())) == 1, "three numbers per class", **sizes)
        seen = np.array(self.seen)
        if seen.sum() < 2:
            return logits.astype(np.float64)
        own, total = log_odds_parts(logits[:, seen])
        mapped: np.ndarray = logits.astype(np.float64) - total[:, None] + np.array(self.c)
        mapped[:, seen] = np.array(self.a)[seen] * own[0] - np.array(self.b)[seen] * own[1] + np.array(self.c)[seen]
        return mapped

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        seen = [code for code, known in enumerate(self.seen) if known]
        if len(seen) < 2:
            return logits
        a, b, c = (logits.new_tensor(part) for part in (self.a, self.b, self.c))
        (own, rest), total = log_odds_tensors(logits[:, seen])
        parts = list((logits - total[:, None] + c).unbind(dim=1))
        for place, code in enumerate(seen):
            parts[code] = a[code] * own[:, place] - b[code] * rest[:, place] + c[code]
        return stack(parts)


class Beta(Method):
    """How strongly the map is pulled towards the identity.

    Attributes:
        prior_rows: Strength of the ridge on the two slopes of each class, in rows.
    """

    per_network: ClassVar[bool] = False
    fitted: ClassVar[type[Fitted]] = FittedBeta

    prior_rows: Annotated[float, Float(1, 100, log=True)] = Field(default=10.0, gt=0)

    def fit(self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None) -> FittedBeta:
        """Fit the map on held-out rows.

        Args:
            logits: ``(n, n_classes)``.
            y: ``(n,)`` int class codes.
            weight: ``(n,)`` sample weights; whole numbers count rows.
            prior_factor: Not used, as the map finds the prior of the rows.
        """
        z, codes, rows, seen = among_seen(logits.astype(np.float64), y, row_weights(logits, y, weight))
        a, b, c = np.ones(len(seen)), np.zeros(len(seen)), np.zeros(len(seen))
        if seen.sum() > 1:
            (u, v), _ = log_odds_parts(z)
            a[seen], b[seen], c[seen] = _fitted(u, v, codes, rows, self.prior_rows)
            mapped = a[seen] * u - b[seen] * v + c[seen]
            c[~seen] = np.average(np.logaddexp.reduce(mapped, axis=1), weights=rows)
        return FittedBeta(a=tuple(a.tolist()), b=tuple(b.tolist()), c=tuple(c.tolist()), seen=tuple(seen.tolist()))


def log_odds_parts(logits: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """``log p`` and ``log(1 - p)``, each ``(n, n_classes)`` and exact also where p is nearly 1, and the logarithm
    ``(n,)`` of the sum of the exponentials."""
    z = logits.astype(np.float64)
    total = np.logaddexp.reduce(z, axis=1)
    rest = np.empty_like(z)
    for code in range(z.shape[1]):
        rest[:, code] = np.logaddexp.reduce(np.delete(z, code, axis=1), axis=1)
    return (z - total[:, None], rest - total[:, None]), total


def log_odds_tensors(logits: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """`log_odds_parts` in torch operations."""
    total = logits.logsumexp(dim=1)
    count = logits.shape[1]
    rest = [logits[:, [other for other in range(count) if other != code]].logsumexp(dim=1) for code in range(count)]
    return (logits - total[:, None], stack(rest) - total[:, None]), total


def stack(columns: Sequence[Tensor]) -> Tensor:
    """``(n, columns)`` of tensors ``(n,)``."""
    import torch

    return torch.stack(list(columns), dim=1)


def _fitted(
    u: np.ndarray, v: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_rows: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three numbers of each class that minimize the penalized log loss."""
    from scipy.optimize import minimize

    n, k = u.shape
    true = np.zeros((n, k))
    true[np.arange(n), y] = 1.0
    middle = np.concatenate([np.ones(k), np.zeros(2 * k)])
    ridge = np.concatenate([np.full(2 * k, prior_rows), np.full(k, BIAS_ROWS)])

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        a, b, c = numbers.reshape(3, k)
        mapped = a * u - b * v + c
        total = np.logaddexp.reduce(mapped, axis=1)
        error = (np.exp(mapped - total[:, None]) - true) * weight[:, None]
        off = numbers - middle
        value = weight @ (total - mapped[np.arange(n), y]) + ridge @ off**2 / 2
        gradient = np.concatenate([(error * u).sum(axis=0), -(error * v).sum(axis=0), error.sum(axis=0)])
        return float(value), gradient + ridge * off

    found = minimize(loss, middle, jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-12, "gtol": 1e-7})
    a, b, c = found.x.reshape(3, k)
    return a, b, c
