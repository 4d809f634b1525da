"""Shapley values by sampling: what each part of a row adds to the output, in any order, against background rows.

Strumbelj and Kononenko, "Explaining prediction models and individual predictions with feature contributions", Knowledge
and Information Systems 2014; pairs of an order and its reverse as in Mitchell, Cooper, Frank and Holmes, "Sampling
permutations for Shapley value estimation", JMLR 2022. Parts of a background row are replaced by those of the explained
row one after the other; the change of the output goes to the part. The amounts add up to the difference of the outputs
exactly, for any number of orders.

For any model: trees, frozen random features, quantized networks, and ensembles of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rarebird.core.progress import Progress, silent
from rarebird.explanation.amounts import Amounts
from rarebird.explanation.features import Features, taken_of_all
from rarebird.explanation.players import Players
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.protocols import Inputs

METHOD = "shapley"
# Orders per row, each with its reverse.
ORDERS = 8
# Rows that are put together before they are predicted in batches.
AT_ONCE = 4096


def shapley(
    shipped: ShippedOutput,
    rows: Sequence[Inputs],
    background: Sequence[Inputs],
    codes: np.ndarray,
    rng: np.random.Generator,
    orders: int = ORDERS,
    progress: Progress = silent,
) -> Amounts:
    """The amounts of rows.

    Args:
        shipped: The output.
        rows, background: Prepared rows of each member, from `shipped.inputs`.
        codes: ``(n,)`` the class that is explained for each row.
        rng: Draws the orders.
        orders: Orders per row; as many reversed ones follow.
        progress: Told of the share done.
    """
    features = Features(shipped)
    players, n = Players(features), len(codes)
    count = len(next(iter(background[0].values())))
    amounts, base = np.zeros((n, players.count)), np.zeros(n)
    for row in range(n):
        drawn = [rng.permutation(players.count) for _ in range(orders)]
        pairs = [order for one in drawn for order in (one, one[::-1])]
        # An order and its reverse have the same background row; the rows take turns.
        others = np.repeat((row * orders + np.arange(orders)) % count, 2)
        found = _changes(shipped, features, players, (rows, background), (row, int(codes[row])), (pairs, others))
        for order, change in zip(pairs, np.diff(found, axis=1), strict=True):
            amounts[row, order] += change / len(pairs)
        base[row] = found[:, 0].mean()
        progress((row + 1) / n, "Shapley values")
    values = players.spread(torch.from_numpy(amounts), features.shape).numpy()
    explained = shipped.of_inputs(rows, shipped.codes(codes))
    detail = f"Shapley values of {players.what} from {2 * orders} orders, against {min(count, orders)} background rows."
    return Amounts(METHOD, shipped.output, values, np.asarray(codes), explained, base, features.names, True, detail)


def _changes(
    shipped: ShippedOutput,
    features: Features,
    players: Players,
    inputs: tuple[Sequence[Inputs], Sequence[Inputs]],
    explained: tuple[int, int],
    drawn: tuple[list[np.ndarray], np.ndarray],
) -> np.ndarray:
    """``(orders, parts + 1)`` the output after each part of each order.

    Args:
        shipped, features, players: As in `shapley`.
        inputs: Prepared rows and background rows.
        explained: The row and its class.
        drawn: The orders, and the background row of each.
    """
    (rows, background), (row, code), (orders, others) = inputs, explained, drawn
    ranks = torch.from_numpy(np.argsort(np.stack(orders), axis=1))
    # (orders, parts + 1, parts): which parts are the row's own after each step.
    chosen = (ranks[:, None, :] < torch.arange(players.count + 1)[:, None]).reshape(-1, players.count)
    other = np.repeat(others, players.count + 1)
    found = []
    for start in range(0, len(chosen), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        keep = players.mask(chosen[part]).to(shipped.model.device)
        own = taken_of_all(rows, np.full(len(keep), row))
        against = taken_of_all(background, other[part])
        pairs = enumerate(zip(own, against, strict=True))
        mixed = [features.mixed(place, x, b, keep) for place, (x, b) in pairs]
        found.append(shipped.of_inputs(mixed, shipped.codes(np.full(len(keep), code))))
    return np.concatenate(found).reshape(len(orders), players.count + 1)
