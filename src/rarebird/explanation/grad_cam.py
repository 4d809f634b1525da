"""Grad-CAM: where in a picture the last convolutional map speaks for a class.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017;
Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
arXiv:2011.08891. Each map is multiplied by the gradient of the output with respect to it, and the maps are added; what
is below 0 is cut off; the result is enlarged to the picture.

NOTE[DIFF]: Grad-CAM multiplies a map by the mean of its gradient over all places. That is the same where the network
takes the map's mean. Where it reads places or maxima (a dense layer behind the map), the mean gradient can point beside
the place that matters, so that each place has its own gradient, as in HiResCAM.

The output is the shipped one, so that each member's maps have the weight that the average, the calibrations and the
class give them; the members' maps are added before the cut.

The places are as coarse as the map, and the amounts promise no sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.explanation.amounts import Amounts
from rarebird.explanation.features import Features, taken_of_all
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.explainable import NamesItsMap
from rarebird.slots.protocols import Inputs

METHOD = "grad_cam"
# A gradient keeps the activations, which take more memory than a prediction does.
MEMORY_PARTS = 4


def has_maps(shipped: ShippedOutput) -> bool:
    """Whether every member is a convolutional network of pictures that names its last map."""
    return all(_map_of(member.network) is not None for member in shipped.model.members)


def grad_cam(shipped: ShippedOutput, rows: Sequence[Inputs], codes: np.ndarray) -> Amounts:
    """The maps of rows, ``(n, 1, height, width)``.

    Args:
        shipped: The output; every member must name its map (`has_maps`).
        rows: Prepared rows of each member, from `shipped.inputs`.
        codes: ``(n,)`` the class that is explained for each row.
    """
    n, size = len(codes), shipped.rows_at_once(rows, MEMORY_PARTS)
    _, height, width = Features(shipped).shape
    parts, wanted = [np.zeros((0, 1, height, width))], shipped.codes(codes)
    for start in range(0, n, size):
        places = np.arange(start, min(start + size, n))
        parts.append(_maps(shipped, taken_of_all(rows, places), wanted[places], (height, width)))
    explained = shipped.of_inputs(rows, wanted)
    none = np.full(n, np.nan)
    detail = "Grad-CAM of the last convolutional map, a gradient for each place (HiResCAM); coarser than the picture."
    return Amounts(METHOD, shipped.output, np.concatenate(parts), np.asarray(codes), explained, none, (), False, detail)


def _maps(shipped: ShippedOutput, rows: list[Inputs], codes: Tensor, sides: tuple[int, int]) -> np.ndarray:
    seen, logits = [], []
    with torch.enable_grad():
        for place, x in enumerate(rows):
            with _watched(shipped.model.members[place].network) as maps:
                logits.append(shipped.member_logits(place, x))
            seen.append(maps[0])  # the row itself comes before its augmented views
        output = shipped.of_logits(logits, codes).sum()
        gradients = torch.autograd.grad(output, seen)
    added = None
    for one, gradient in zip(seen, gradients, strict=True):
        weighted = (gradient * one).sum(dim=1, keepdim=True).detach()
        large = functional.interpolate(weighted, sides, mode="bilinear", align_corners=False)
        added = large if added is None else added + large
    assert added is not None
    return added.clamp(min=0).double().cpu().numpy()


@contextmanager
def _watched(network: nn.Module) -> Iterator[list[Tensor]]:
    """The outputs of the network's map layer while it computes; they need a gradient even if no weight does."""
    found: list[Tensor] = []

    def keep(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        # A copy, because a layer behind may change it in place.
        kept = output.detach().requires_grad_(True) if not output.requires_grad else output
        found.append(kept)
        return kept.clone()

    layer = _map_of(network)
    assert layer is not None
    hook = layer.register_forward_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


def _map_of(network: nn.Module) -> nn.Module | None:
    """The module whose output is the last map; None of a network without one."""
    name = network.feature_map if isinstance(network, NamesItsMap) else ""
    return network.get_submodule(name) if name else None
