"""Where a transformer looks: the share of each token in what its head sees (attention rollout).

Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. Attention says where a network looks, for no
class in particular, and not what the place speaks for; the amounts are shares, which add up to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rarebird.explanation.amounts import Amounts
from rarebird.explanation.features import Features
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.explainable import GivesAttention
from rarebird.slots.protocols import Inputs

METHOD = "attention"


def gives_attention(shipped: ShippedOutput) -> bool:
    """Whether every member tells where it looks."""
    return all(isinstance(member.network, GivesAttention) for member in shipped.model.members)


@torch.no_grad()
def attention_shares(shipped: ShippedOutput, rows: Sequence[Inputs], codes: np.ndarray) -> Amounts:
    """The shares, averaged over the members by their weights: ``(n, 1, height, width)`` of pictures, ``(n, 1, length)``
    of series, ``(n, columns)`` of tables.

    Args:
        shipped: The output; every member must tell its attention (`gives_attention`).
        rows: Prepared rows of each member, from `shipped.inputs`.
        codes: ``(n,)`` the class of each row, which the shares do not depend on.
    """
    features, n = Features(shipped), len(codes)
    shape = (1, *features.shape[1:]) if features.kind != "table" else features.shape
    total, size = torch.zeros(n, *shape, dtype=torch.float64), shipped.rows_at_once(rows)
    for place, (member, x) in enumerate(zip(shipped.model.members, rows, strict=True)):
        network = member.network
        assert isinstance(network, GivesAttention)
        for start in range(0, n, size):
            part = slice(start, start + size)
            some = {name: one[part] for name, one in x.items()}
            spread = _on_features(features, place, network.attention(some).double(), some)
            total[part] += shipped.shares[place] * spread.double().cpu()
    explained, none = shipped.of_inputs(rows, shipped.codes(codes)), np.full(n, np.nan)
    detail = "Attention over all blocks (rollout): where the network looks, for no class in particular."
    values = total.numpy()
    return Amounts(METHOD, shipped.output, values, np.asarray(codes), explained, none, features.names, False, detail)


def _on_features(features: Features, place: int, shares: Tensor, x: Inputs) -> Tensor:
    """Shares of tokens ``(batch, tokens)`` on the pixels, steps or columns that they stand for."""
    if features.kind == "image":
        _, height, width = features.shape
        side = 1
        while -(-height // side) * -(-width // side) > shares.shape[1]:
            side += 1
        grid = shares.reshape(len(shares), 1, -(-height // side), -(-width // side))
        large = functional.interpolate(grid, (height, width), mode="nearest")
        return large / large.sum(dim=(1, 2, 3), keepdim=True)
    if features.kind == "series":
        length = x["values"].shape[2]
        stride = -(-length // shares.shape[1])
        steps = shares.repeat_interleave(stride, dim=1)[:, :length]
        inside = torch.arange(length, device=steps.device) < x["lengths"][:, None]
        steps = steps * inside
        padded = functional.pad(steps / steps.sum(dim=1, keepdim=True), (0, features.shape[1] - length))
        return padded[:, None]
    numbers = x["numbers"].shape[1]
    empty = torch.zeros_like(shares[:, :numbers])
    return features.collected(
        place, {"numbers": shares[:, :numbers], "missing": empty, "categories": shares[:, numbers:]}
    )
