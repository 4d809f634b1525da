"""Solves a linear head on features: its penalty and its weights of classes are those with the best leave-one-out
outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from rarebird.methods.head._ridge_path import RidgePath, row_products
from rarebird.slots.solved_head import HeadRows, SolvedHead

# Strength of the ridge on the biases that the log loss of scores has, in rows, and of the prior on their scale.
BIAS_ROWS, SCALE_ROWS = 0.5, 1.0
# A scale of scores is at most this; scores that separate all rows would have an infinite one.
LARGEST_SCALE = 100.0


@dataclass(frozen=True, eq=False)
class Choice:
    """One weighting of the classes and one penalty, judged by leave-one-out.

    Attributes:
        path: The decomposition of the weighted rows.
        penalty: Of the coefficients' squares.
        outputs: ``(n, n_outputs)`` leave-one-out outputs.
        loss: Their loss, over all rows as they count.
    """

    path: RidgePath
    penalty: float
    outputs: Tensor
    loss: float


def solve(rows: HeadRows, penalties: Sequence[float], powers: Sequence[float] = (0.0,)) -> SolvedHead:
    """Ridge regression on the rows, with the penalty and the weights of classes that leave-one-out outputs like best.

    Args:
        rows: The training rows.
        penalties: To choose from, in units of the rows' weighted mean squared distance from their mean.
        powers: To choose from: rows of a class count ``1 / count ** power`` times, 0 for once and 1 for balanced
            classes; not used for regression.
    """
    classes = rows.task == "classification"
    counts = torch.from_numpy(np.asarray(rows.counts, dtype=np.float64)).to(rows.features.device)
    targets = rows.targets.double().to(rows.features.device)
    scaled = 2 * targets - 1 if classes else targets
    judge = _log_loss(targets, counts) if classes else _squared_error(targets, counts)
    is_dual = len(rows.features) <= rows.features.shape[1]
    products = row_products(rows.features) if is_dual and len(powers) > 1 else None
    best: Choice | None = None
    for power in powers if classes else powers[:1]:
        weight = counts * _class_weights(targets, counts, power) if classes and power else counts
        path = RidgePath(rows.features, weight, rows.groups, products)
        for share in penalties:
            penalty = share * (path.scale or 1.0)
            outputs = path.left_out(scaled, penalty)
            loss = judge(outputs)
            if best is None or loss < best.loss:
                best = Choice(path, penalty, outputs, loss)
    assert best is not None
    weight, bias = best.path.coefficients(scaled, best.penalty)
    return SolvedHead(weight.float(), bias.float(), best.outputs.float().cpu().numpy())


def _class_weights(targets: Tensor, counts: Tensor, power: float) -> Tensor:
    """``(n,)`` the weight of each row by its classes, of mean 1 over the rows as they count."""
    of_class = counts @ targets
    weights = of_class.clamp(min=1) ** -power
    weights *= counts.sum() / (weights @ of_class)
    return targets @ weights


def _squared_error(targets: Tensor, counts: Tensor) -> Callable[[Tensor], float]:
    return lambda outputs: float(counts @ (outputs - targets).square().sum(dim=1) / counts.sum())


def _log_loss(targets: Tensor, counts: Tensor) -> Callable[[Tensor], float]:
    """Scores -> their mean log loss after a common scale and a bias for each class, which are fitted to the rows.

    The fit starts from that of the scores before: those of the next penalty differ little, and the loss is convex.
    """
    y, weight = targets.cpu().numpy(), counts.cpu().numpy()
    of_class = weight @ y
    seen = of_class > 0
    y, of_class = y[:, seen], of_class[seen]
    start = np.concatenate([[2.0], np.log(of_class / weight.sum())])

    def loss(outputs: Tensor) -> float:
        nonlocal start
        scores = outputs.cpu().numpy()[:, seen]
        scores = scores - scores.mean(axis=1, keepdims=True)
        # What the log loss needs of the targets is linear in the scale and the biases.
        of_targets = np.concatenate([[weight @ np.einsum("ij,ij->i", y, scores)], of_class])
        found = minimize(
            _penalized_log_loss,
            start,
            args=(scores, of_targets, weight),
            jac=True,
            method="L-BFGS-B",
            bounds=[(1e-3, LARGEST_SCALE)] + [(None, None)] * len(of_class),
            options={"maxiter": 100, "ftol": 1e-10, "gtol": 1e-6},
        )
        start = found.x
        return float(found.fun) / float(weight.sum())

    return loss


def _penalized_log_loss(
    parameters: np.ndarray, scores: np.ndarray, of_targets: np.ndarray, weight: np.ndarray
) -> tuple[float, np.ndarray]:
    """``sum_i w_i nll_i`` of ``scale * scores + bias``, with weak priors on both, and its gradient.

    Args:
        parameters: The scale, and ``(k,)`` biases.
        scores: ``(n, k)``.
        of_targets: The weighted sums of the targets' scores, and ``(k,)`` of the targets.
        weight: ``(n,)`` the rows' weights.
    """
    scale, bias = parameters[0], parameters[1:]
    p = scores * scale
    p += bias
    largest = p.max(axis=1, keepdims=True)
    p -= largest
    np.exp(p, out=p)
    total = p.sum(axis=1)
    value = weight @ (np.log(total) + largest[:, 0]) - of_targets @ parameters
    value += SCALE_ROWS * (scale - np.log(scale)) + BIAS_ROWS * bias @ bias / 2
    share = weight / total
    by_scale = share @ np.einsum("ij,ij->i", p, scores) - of_targets[0] + SCALE_ROWS * (1 - 1 / scale)
    by_bias = share @ p - of_targets[1:] + BIAS_ROWS * bias
    return float(value), np.concatenate([[by_scale], by_bias])
