"""Deletion curves: how fast the output falls where the most important features are replaced first.

Samek et al., "Evaluating the visualization of what a deep neural network has learned", IEEE TNNLS 2017; Petsiuk, Das
and Saenko, "RISE", BMVC 2018. An explanation that is right about the model makes the output fall faster than a random
order does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rarebird.explanation.amounts import Amounts
from rarebird.explanation.features import Features, taken_of_all
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.protocols import Inputs

SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def deletion_curve(
    shipped: ShippedOutput,
    rows: Sequence[Inputs],
    background: Sequence[Inputs],
    codes: np.ndarray,
    order: np.ndarray,
    shares: Sequence[float] = SHARES,
) -> np.ndarray:
    """``(n, len(shares))`` the mean output over background rows where the first features of an order are replaced.

    Args:
        shipped: The output.
        rows, background: Prepared rows of each member.
        codes: ``(n,)`` the class of each row.
        order: ``(n, features)`` places of the features, the first to be replaced first. Channels of pictures and series
            are replaced together, so that features are places there.
        shares: Which share is replaced.
    """
    features, n = Features(shipped), len(codes)
    places = features.shape if features.kind == "table" else (1, *features.shape[1:])
    count = len(next(iter(background[0].values())))
    rank = np.argsort(order, axis=1)
    found = np.zeros((n, len(shares)))
    first, second = np.repeat(np.arange(n), count), np.tile(np.arange(count), n)
    own, against = taken_of_all(rows, first), taken_of_all(background, second)
    for place, share in enumerate(shares):
        keep = torch.from_numpy(rank >= round(share * rank.shape[1])).reshape(n, *places)[first]
        keep = keep.to(shipped.model.device)
        mixed = [features.mixed(member, x, b, keep) for member, (x, b) in enumerate(zip(own, against, strict=True))]
        outputs = shipped.of_inputs(mixed, shipped.codes(codes[first]))
        found[:, place] = outputs.reshape(n, count).mean(axis=1)
    return found


def order_of(amounts: Amounts) -> np.ndarray:
    """``(n, features)`` places by their amount for the class, the largest first; channels are added up."""
    values = amounts.values if not amounts.values.ndim > 2 else amounts.values.sum(axis=1)
    return np.argsort(-values.reshape(len(values), -1), axis=1, kind="stable")


def area(curve: np.ndarray, shares: Sequence[float] = SHARES) -> np.ndarray:
    """``(n,)`` the mean output along a curve, by the trapezoidal rule."""
    mean: np.ndarray = np.trapezoid(curve, np.asarray(shares), axis=1)
    return mean
