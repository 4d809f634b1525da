"""Exact contributions of boosted trees (TreeSHAP), carried through the average and the calibrations to what ships.

Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
Intelligence 2020: the raw output of trees is a base and one contribution per column, exactly, as LightGBM computes it
(`pred_contrib`). The shipped output is a smooth function of the raw outputs of all members; each raw output's share in
it is an integrated gradient along the line from the bases to the raw outputs (as in the chains of Chen, Lundberg and
Lee, "Explaining a series of models by propagating Shapley values", Nature Communications 2022). Of one model for two
classes with a linear calibration, this is TreeSHAP itself times the calibration's slope.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rarebird.explanation.amounts import Amounts
from rarebird.explanation.features import Features
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.explainable import ExactContributions
from rarebird.slots.protocols import Inputs

METHOD = "tree_shap"
# Points of the line from the bases to the raw outputs, of Gauss and Legendre.
POINTS = 32


def has_contributions(shipped: ShippedOutput) -> bool:
    """Whether the raw outputs of every member are sums of exact contributions."""
    return all(isinstance(member.network, ExactContributions) for member in shipped.model.members)


def tree_contributions(shipped: ShippedOutput, rows: Sequence[Inputs], codes: np.ndarray) -> Amounts:
    """The amounts of rows.

    Args:
        shipped: The output; every member must have exact contributions (`has_contributions`).
        rows: Prepared rows of each member, from `shipped.inputs`.
        codes: ``(n,)`` the class that is explained for each row.
    """
    features, wanted = Features(shipped), shipped.codes(codes).cpu()
    parts = []
    for member, x in zip(shipped.model.members, rows, strict=True):
        network = member.network
        assert isinstance(network, ExactContributions)
        parts.append(torch.from_numpy(network.contributions({name: part.cpu() for name, part in x.items()})))
    bases = [part[:, :, -1] for part in parts]
    moves = [part[:, :, :-1].sum(dim=2) for part in parts]
    slopes = _mean_slopes(shipped, bases, moves, wanted)
    values = sum(
        _by_column(features, place, part[:, :, :-1] * slope[:, :, None], x)
        for place, (part, slope, x) in enumerate(zip(parts, slopes, rows, strict=True))
    )
    base = shipped.of_logits(bases, wanted).numpy()
    explained = shipped.of_logits([one + move for one, move in zip(bases, moves, strict=True)], wanted).numpy()
    detail = (
        "Exact contributions of the trees (TreeSHAP), against the mean of their training rows, carried through "
        "average and calibration."
    )
    found = np.asarray(values)
    return Amounts(METHOD, shipped.output, found, np.asarray(codes), explained, base, features.names, True, detail)


def _mean_slopes(
    shipped: ShippedOutput, bases: Sequence[Tensor], moves: Sequence[Tensor], codes: Tensor
) -> list[Tensor]:
    """``(n, n_outputs)`` of each member: the mean gradient of the output along the line from the bases."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    total = [torch.zeros_like(one) for one in bases]
    for node, weight in zip(nodes, weights, strict=True):
        points = [(one + (node + 1) / 2 * move).requires_grad_(True) for one, move in zip(bases, moves, strict=True)]
        with torch.enable_grad():
            gradients = torch.autograd.grad(shipped.of_logits(points, codes).sum(), points)
        for one, gradient in zip(total, gradients, strict=True):
            one += weight / 2 * gradient
    return total


def _by_column(features: Features, place: int, contributions: Tensor, x: Inputs) -> np.ndarray:
    """``(n, columns)`` the sum over a member's raw outputs, by the table's own columns."""
    added = contributions.sum(dim=1)
    numbers, categories = x["numbers"].shape[1], x["categories"].shape[1]
    # Trees see one column of zeros where a table has none.
    padded = torch.nn.functional.pad(added, (0, max(numbers + categories - added.shape[1], 0)))
    parts = {
        "numbers": padded[:, :numbers],
        "missing": torch.zeros_like(padded[:, :numbers]),
        "categories": padded[:, numbers : numbers + categories],
    }
    return features.collected(place, parts).numpy()
