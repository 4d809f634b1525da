"""Removes weights or whole channels of a network; what remains is trained further.

Magnitude: Han, Pool, Tran and Dally, "Learning both weights and connections for efficient neural networks", NeurIPS
2015 (weights), Li et al., "Pruning filters for efficient ConvNets", ICLR 2017 (channels). Taylor: Molchanov, Mallya,
Tyree, Frosio and Kautz, "Importance estimation for neural network pruning", CVPR 2019: a channel's importance is the
square of the change of the loss without it, to first order, ``(sum over its weights of gradient x weight)^2``.

NOTE[DIFF]: changes are summed over one batch of each class, so that each class counts equally. With the rows as they
come, what a rare class needs looks unimportant (Hooker et al., "What do compressed deep neural networks forget?",
2019). Each group of channels loses the same share, so that no layer is cut off and the latency falls as the share says.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.methods.network._channels import ChannelGroup, Narrowable, narrow
from rarebird.training.batches import ready
from rarebird.training.inference import placement, rows_at_once

Importance = Literal["taylor", "magnitude"]
# Rows of each class, at most, that gradients are computed from.
ROWS_PER_CLASS = 64
# A pass with gradients takes about so many times the memory of one without.
GRADIENT_MEMORY = 2


def without_channels(
    network: nn.Module, prepared: Prepared, rows: Dataset, share: float, importance: Importance = "taylor"
) -> nn.Module:
    """A copy of a network without a share of the channels of each group, the least important ones.

    Args:
        network: `Narrowable`.
        prepared: Its preparation.
        rows: Training rows, for the importance.
        share: Of the channels that the network has now, above 0 and below 1.
        importance: By what channels are compared.

    Raises:
        DataError: The network cannot be narrowed.
    """
    groups = prunable_groups(network)
    by_loss = importance == "taylor"
    scores = taylor_scores(network, groups, prepared, rows) if by_loss else magnitude_scores(network, groups)
    kept = {}
    for group in groups:
        remaining = max(group.fewest, round((1 - share) * group.channels))
        kept[group.name] = torch.argsort(scores[group.name], descending=True, stable=True)[:remaining]
    smaller: nn.Module = deepcopy(network)
    narrow(smaller, kept)
    return smaller


def prunable_groups(network: nn.Module) -> list[ChannelGroup]:
    """The groups of channels that can be removed from a network.

    Raises:
        DataError: There are none.
    """
    if not isinstance(network, Narrowable):
        raise DataError(
            f"The channels of this network ({type(network).__name__}) cannot be removed; give --prune weights, which "
            "makes weights zero, or leave out the step prune."
        )
    groups = network.channel_groups()
    if not groups:
        raise DataError("No channels of this network can be removed one by one; give --prune weights.")
    return groups


def without_weights(network: nn.Module, share: float) -> nn.Module:
    """A copy of a network in which a share of the weights, the smallest of each layer, are zero.

    Args:
        network: Any; biases and normalizations stay as they are.
        share: Of each layer's weights, at least 0 and below 1.
    """
    sparse = deepcopy(network)
    with torch.no_grad():
        for weights in _weights(sparse):
            count = int(share * weights.numel())
            if count:
                flat = weights.abs().flatten()
                is_small = torch.zeros_like(flat, dtype=torch.bool)
                is_small[torch.topk(flat, count, largest=False).indices] = True
                # Not through a view: convolutions of pictures may have their channels last.
                weights.masked_fill_(is_small.view(weights.shape), 0.0)
    return sparse


def magnitude_scores(network: nn.Module, groups: Sequence[ChannelGroup]) -> dict[str, Tensor]:
    """Group -> ``(channels,)`` the sum of the squares of each channel's weights."""
    weights = {name: one.detach().double().square() for name, one in network.named_parameters() if one.ndim > 1}
    return {group.name: _summed(group, weights) for group in groups}


def taylor_scores(
    network: nn.Module, groups: Sequence[ChannelGroup], prepared: Prepared, rows: Dataset
) -> dict[str, Tensor]:
    """Group -> ``(channels,)`` the squared change of the loss without each channel, summed over batches of which each
    has rows of one class (of regression, of all)."""
    copy = deepcopy(network).cpu().eval()
    for parameter in copy.parameters():
        parameter.requires_grad_(True)
    scores = {group.name: torch.zeros(group.channels, dtype=torch.float64) for group in groups}
    for chosen in _batches(rows):
        copy.zero_grad()
        _accumulate_gradients(copy, prepared, rows.take(chosen))
        terms = {
            name: one.detach().double() * one.grad.double()
            for name, one in copy.named_parameters()
            if one.grad is not None
        }
        for group in groups:
            scores[group.name] += _summed(group, terms).square()
    return scores


def _accumulate_gradients(network: nn.Module, prepared: Prepared, rows: Dataset) -> None:
    """Add the gradients of the mean loss of some rows, a few rows at a time, as large pictures need much memory."""
    inputs = prepared.inputs(rows)
    x, y = ready(inputs, placement("cpu", "pixels" in inputs)), prepared.targets(rows)
    loss_of = functional.mse_loss if rows.task == "regression" else functional.cross_entropy
    at_once = max(1, rows_at_once(inputs, "cpu", network) // GRADIENT_MEMORY)
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        outputs, wanted = network({name: one[part] for name, one in x.items()}).float(), y[part]
        (loss_of(outputs, wanted) * (len(wanted) / len(rows))).backward()  # type: ignore[no-untyped-call]


def _summed(group: ChannelGroup, terms: dict[str, Tensor]) -> Tensor:
    """``(channels,)`` the sum of a channel's entries in all tensors of its group."""
    total = torch.zeros(group.channels, dtype=torch.float64)
    for place in group.places:
        if place.tensor in terms:
            total += place.of_channels(terms[place.tensor].cpu(), group.channels).sum(dim=(0, 2))
    return total


def _batches(rows: Dataset) -> list[np.ndarray]:
    """Positions of some rows of each class; of regression, of all rows."""
    if rows.task == "regression":
        return np.array_split(_evenly(np.arange(len(rows)), ROWS_PER_CLASS), 4)
    own = [_evenly(np.flatnonzero(rows.codes == code), ROWS_PER_CLASS) for code in range(rows.n_classes)]
    return [chosen for chosen in own if len(chosen)]


def balanced_rows(rows: Dataset, most: int) -> np.ndarray:
    """Positions of at most `most` rows of each class, evenly from the order of the rows; of regression, of all rows."""
    if rows.task == "regression":
        return _evenly(np.arange(len(rows)), most)
    return np.concatenate([_evenly(np.flatnonzero(rows.codes == code), most) for code in range(rows.n_classes)])


def _evenly(positions: np.ndarray, most: int) -> np.ndarray:
    if len(positions) <= most:
        return positions
    return positions[np.linspace(0, len(positions) - 1, most).astype(np.int64)]


def _weights(network: nn.Module) -> list[Any]:
    return [one for one in network.parameters() if one.ndim > 1]
