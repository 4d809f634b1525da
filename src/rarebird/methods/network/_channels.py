"""The channels (or hidden units, or attention heads) of a network that can be removed together, and their removal.

A network that can be narrowed has ``channel_groups() -> list[ChannelGroup]``: what each group is called, how many
channels it has now, and where these lie in the network's tensors. `narrow` keeps some of them; the sizes that remain
are all that must be known to build the narrowed network again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from rarebird.core.checks import require
from rarebird.slots.stored_modules import channel_widths


@dataclass(frozen=True)
class Place:
    """Where a group's channels lie in one tensor: ``blocks x channels x repeat`` entries along `dim`.

    Attributes:
        tensor: Name of a parameter or buffer.
        dim: The axis.
        blocks: How often all channels follow one another (a concatenation).
        repeat: Entries of each channel (a flattened map).
        start: Entries of the axis before the first of them, which belong to other groups.
    """

    tensor: str
    dim: int = 0
    blocks: int = 1
    repeat: int = 1
    start: int = 0

    def entries(self, chosen: Tensor, channels: int) -> Tensor:
        """Positions along the axis of some of the channels."""
        block = self.start + torch.arange(self.blocks, device="cpu")[:, None, None] * (channels * self.repeat)
        return (
            block + chosen[None, :, None] * self.repeat + torch.arange(self.repeat, device="cpu")[None, None, :]
        ).flatten()

    def of_channels(self, tensor: Tensor, channels: int) -> Tensor:
        """``(blocks, channels, ...)`` the entries of each channel in a tensor of that shape."""
        own = tensor.movedim(self.dim, 0)[self.start : self.start + self.blocks * channels * self.repeat]
        return own.reshape(self.blocks, channels, -1)


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that are removed together.

    Attributes:
        name: Unique within the network.
        channels: How many there are.
        places: Where they lie, in what makes them and in what reads them.
        fewest: How many must remain.
    """

    name: str
    channels: int
    places: tuple[Place, ...]
    fewest: int = 1


@runtime_checkable
class Narrowable(Protocol):
    """A network that says which of its channels can be removed."""

    def channel_groups(self) -> list[ChannelGroup]: ...


def made_by(module: str, norm: str | None = None) -> tuple[Place, ...]:
    """The outputs of a convolution or linear layer, and of the batch normalization behind it."""
    places = [Place(f"{module}.weight"), Place(f"{module}.bias")]
    if norm is not None:
        places += [Place(f"{norm}.{name}") for name in ("weight", "bias", "running_mean", "running_var")]
    return tuple(places)


def read_by(module: str, blocks: int = 1, repeat: int = 1) -> tuple[Place, ...]:
    """The inputs of a convolution or linear layer."""
    return (Place(f"{module}.weight", 1, blocks, repeat),)


def narrow(network: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Remove all other channels of some groups, in place.

    Args:
        network: `Narrowable`.
        kept: Group -> positions of the channels that remain, at least one.

    Raises:
        ValueError: There is no such group or channel, or none remains.
    """
    require(isinstance(network, Narrowable), "the network can be narrowed", network=type(network).__name__)
    groups = {group.name: group for group in network.channel_groups()}  # type: ignore[operator]
    unknown = sorted(set(kept) - set(groups))
    require(not unknown, "the network has these groups of channels", unknown=unknown[:3])
    remaining: dict[tuple[str, int], Tensor] = {}
    for name, positions in kept.items():
        group = groups[name]
        fits = 0 < len(positions) <= group.channels and 0 <= int(positions.min()) <= int(positions.max())
        require(
            fits and int(positions.max()) < group.channels,
            "1 <= kept channels <= channels",
            group=name,
            kept=len(positions),
            channels=group.channels,
        )
        is_gone = torch.ones(group.channels, dtype=torch.bool, device="cpu")
        is_gone[positions.cpu()] = False
        for place in group.places:
            tensor = _tensor(network, place.tensor)
            if tensor is not None:  # a layer may have no bias
                axis = (place.tensor, place.dim)
                stays = remaining.setdefault(axis, torch.ones(tensor.shape[place.dim], dtype=torch.bool, device="cpu"))
                stays[place.entries(is_gone.nonzero().flatten(), group.channels)] = False
    # All groups that lie along an axis are cut at once, as one that is cut moves the others.
    for (tensor_name, dim), stays in remaining.items():
        _cut(network, tensor_name, dim, stays.nonzero().flatten())
    network.channel_widths = {  # type: ignore[assignment]
        **(channel_widths(network) or {}),
        **{name: len(positions) for name, positions in kept.items()},
    }


def narrow_to(network: nn.Module, widths: Mapping[str, int]) -> None:
    """Narrow a newly built network to recorded sizes; which channels remain is of no account, as weights follow."""
    for name, size in widths.items():
        require(size >= 1, "1 <= kept channels <= channels", group=name, kept=size)
    # On the CPU, also where a network without memory is built.
    narrow(network, {name: torch.arange(size, device="cpu") for name, size in widths.items()})


def _tensor(network: nn.Module, name: str) -> Tensor | None:
    path, _, own = name.rpartition(".")
    found: Tensor | None = getattr(network.get_submodule(path), own, None)
    return found


def _cut(network: nn.Module, tensor: str, dim: int, entries: Tensor) -> None:
    """Keep some entries along an axis of a parameter or buffer."""
    path, _, name = tensor.rpartition(".")
    module = network.get_submodule(path)
    old: Any = getattr(module, name)
    new = old.detach().index_select(dim, entries.to(old.device))
    if old.ndim == 4 and old.is_contiguous(memory_format=torch.channels_last):
        new = new.contiguous(memory_format=torch.channels_last)
    setattr(module, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)
    _update_sizes(module)


def _update_sizes(module: nn.Module) -> None:
    """Set the sizes that a layer keeps beside its weights."""
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        if module.groups == module.in_channels == module.out_channels > 1:
            module.groups = module.weight.shape[0]  # one filter for each channel
        module.out_channels, module.in_channels = module.weight.shape[0], module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.num_features = len(module.running_mean) if module.running_mean is not None else module.num_features
    elif isinstance(module, nn.LSTM | nn.GRU):
        module.hidden_size = module.get_parameter("weight_hh_l0").shape[0] // (4 if isinstance(module, nn.LSTM) else 3)
        module.input_size = module.get_parameter("weight_ih_l0").shape[1]
