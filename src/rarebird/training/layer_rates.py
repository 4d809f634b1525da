"""Learning rates that fall from the head towards the input.

Clark et al., "ELECTRA", ICLR 2020; Bao et al., "BEiT", ICLR 2022. A body of timm says itself which parameters make a
layer (its `group_matcher`); in any other network each module with parameters of its own is one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def depths(network: nn.Module) -> dict[int, int]:
    """Id of each parameter -> its distance from the head in layers; the head's own have 0."""
    head = {id(parameter) for parameter in network.head.parameters()}  # type: ignore[union-attr]
    body: Any = getattr(network, "body", None)
    if body is not None and hasattr(body, "group_matcher"):
        layers = _layers_of_timm(body)
    else:
        layers = [
            own
            for module in network.modules()
            if (own := [id(parameter) for parameter in module.parameters(recurse=False)]) and not head & set(own)
        ]
    found = {one: len(layers) - place for place, layer in enumerate(layers) for one in layer}
    # Parameters outside of all layers are next to the head.
    return {
        id(parameter): found.get(id(parameter), 0 if id(parameter) in head else 1) for parameter in network.parameters()
    }


def with_decay(optimizer: torch.optim.Optimizer, network: nn.Module, decay: float) -> None:
    """Divide the optimizer's groups of parameters by layers; a layer's rate is ``decay ** depth`` of the head's. With a
    decay of 1 nothing changes."""
    if decay == 1:
        return
    depth = depths(network)
    groups = []
    for group in optimizer.param_groups:
        by_depth: dict[int, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_depth.setdefault(depth[id(parameter)], []).append(parameter)
        factor = group.get("rate_factor", 1.0)
        for place, parameters in by_depth.items():
            groups.append({**group, "params": parameters, "rate_factor": factor * decay**place})
    optimizer.param_groups[:] = groups


def _layers_of_timm(body: Any) -> list[list[int]]:
    """The ids of the parameters of each layer, in order from the input."""
    from timm.models import group_parameters

    groups: Any = group_parameters
    named = dict(body.named_parameters())
    by_layer = groups(body, body.group_matcher(coarse=False))
    return [[id(named[name]) for name in names if name in named] for _, names in sorted(by_layer.items())]
