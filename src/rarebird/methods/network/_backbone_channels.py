"""The channels of a backbone that can be removed together, by the dependency graph of Torch-Pruning.

Fang, Ma, Song, Mi and Wang, "DepGraph: towards any structural pruning", CVPR 2023. Its graph follows the operations of
one forward pass, and tells which layers make and read the same channels. Only groups within the body count whose
channels lie one by one in convolutions, linear layers and batch normalizations: the inner channels of blocks. What
reaches the pooled features, or is split, joined or reshaped on its way, stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rarebird.core.checks import UnavailableError
from rarebird.methods.network._channels import ChannelGroup, Place, made_by, read_by

BODY = "body."


def channel_groups(network: nn.Module, pixels: Tensor) -> list[ChannelGroup]:
    """The groups of a backbone, in the order of its layers; each is called after the first layer that makes it.

    Args:
        network: Its forward pass takes ``{"pixels": pixels}``.
        pixels: Two pictures of any values.

    Raises:
        UnavailableError: Torch-Pruning is not installed.
    """
    pruning = _package()
    names = {module: name for name, module in network.named_modules()}
    modes = {module: module.training for module in names}
    needs = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval()
    try:
        network.requires_grad_(True)  # the graph is read from that of the gradients
        graph = pruning.DependencyGraph().build_dependency(
            network, pixels, forward_fn=lambda one, given: one({"pixels": given}), verbose=False
        )
        found = [
            group
            for one in graph.get_all_groups()
            if (group := _group(one, names, graph, pruning.ops._ElementWiseOp)) is not None
        ]
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, needed in needs.items():
            parameter.requires_grad_(needed)
    order = {name: place for place, name in enumerate(names.values())}
    return sorted(found, key=lambda group: order[group.name])


def _group(dependencies: Any, names: dict[nn.Module, str], graph: Any, elementwise: type) -> ChannelGroup | None:
    """One of the graph's groups, or None where channels cannot be removed one by one."""
    places: list[Place] = []
    makers, sizes = [], set()
    for dependency, positions in dependencies:
        layer = dependency.target.module
        if isinstance(layer, elementwise):
            continue
        name = names.get(layer, "") if isinstance(layer, nn.Module) else ""
        if not name.startswith(BODY) or list(positions) != list(range(len(positions))):
            return None
        makes = graph.is_out_channel_pruning_fn(dependency.handler)
        own = list(_places(layer, name, makes, len(positions)))
        if not own:
            return None
        sizes.add(len(positions))
        places += [place for place in own if place not in places]
        makers += [name] if makes and not isinstance(layer, _BatchNorm) else []
    if not makers or len(sizes) != 1:
        return None
    order = {name: place for place, name in enumerate(names.values())}
    return ChannelGroup(min(makers, key=lambda name: order[name]), sizes.pop(), tuple(places))


def _places(layer: nn.Module, name: str, makes: bool, channels: int) -> Iterator[Place]:
    """Where the channels lie in a layer; none for a layer in which they do not lie one by one."""
    if isinstance(layer, _BatchNorm):
        yield from (Place(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
    elif isinstance(layer, nn.Conv1d | nn.Conv2d):
        is_depthwise = layer.groups == layer.in_channels == layer.out_channels == channels and layer.groups > 1
        if is_depthwise or (makes and layer.groups == 1 and layer.out_channels == channels):
            yield from made_by(name)
        elif not makes and layer.groups == 1 and layer.in_channels == channels:
            yield from read_by(name)
    elif isinstance(layer, nn.Linear) and (layer.out_features if makes else layer.in_features) == channels:
        yield from made_by(name) if makes else read_by(name)


def _package() -> Any:
    try:
        return import_module("torch_pruning")
    except ImportError:
        raise UnavailableError(
            "The channels of a backbone are found by the package torch-pruning, which is not installed; install the "
            "extra: pip install 'rarebird[compress]'."
        ) from None
