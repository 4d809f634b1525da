"""What is known of a network's channels while a forward pass is watched: which belong together, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from rarebird.methods.network._channels import ChannelGroup, Place


@dataclass(eq=False)
class Range:
    """Channels that belong together wherever they lie.

    Attributes:
        number: In the order in which ranges are found.
        channels: How many.
        places: Where they lie.
        fixed: Whether all must remain.
        depthwise: Whether a convolution has one filter for each.
        joined: The earlier range that this one is the same as.
    """

    number: int
    channels: int
    places: list[Place] = field(default_factory=list)
    fixed: bool = False
    depthwise: bool = False
    joined: Range | None = None

    def first(self) -> Range:
        """The earliest range that is the same."""
        return self if self.joined is None else self.joined.first()


@dataclass(frozen=True)
class Along:
    """A tensor's channels: ranges one after another along an axis."""

    axis: int
    ranges: tuple[Range, ...]


class Ranges:
    """All ranges of a network, and which tensors of the pass have them."""

    def __init__(self, network: nn.Module) -> None:
        tensors = (*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False))
        self._names = {id(tensor): name for name, tensor in tensors}
        self._modules = dict(network.named_modules())
        # The tensors are kept, so that no later one has the same identity.
        self._known: dict[int, tuple[Tensor, Along]] = {}
        self._all: list[Range] = []

    def groups(self) -> list[ChannelGroup]:
        """The ranges of which some channels may go, each called after the first layer that makes it."""
        found = []
        for one in self._all:
            if one.joined is None and not one.fixed and one.channels > 1:
                name, places = one.places[0].tensor.rpartition(".")[0], tuple(dict.fromkeys(one.places))
                found.append(ChannelGroup(name, one.channels, places, fewest=2 if one.depthwise else 1))
        return found

    def along(self, x: Any) -> Along | None:
        """The channels of a tensor, None where they are not known."""
        known = self._known.get(id(x))
        return None if known is None else known[1]

    def learn(self, x: Tensor, along: Along) -> None:
        """Record the channels of a tensor."""
        self._known[id(x)] = (x, along)

    def fix(self, given: Any) -> None:
        """Keep all channels of the tensors in there."""
        for x in tensors_in(given):
            known = self.along(x)
            for one in () if known is None else known.ranges:
                one.first().fixed = True

    def made(self, layer: str, channels: int, axis: int) -> Along:
        """New channels, which a layer's weights make."""
        one = self._new(channels)
        one.places += [Place(f"{layer}.weight"), Place(f"{layer}.bias")]
        return Along(axis, (one,))

    def unknown(self, channels: int) -> Range:
        """Channels of which nothing is known but their number."""
        one = self._new(channels)
        one.fixed = True
        return one

    def lie(self, along: Along, tensor: str, dim: int = 0) -> None:
        """Record that channels lie along an axis of a parameter or buffer."""
        start = 0
        for one in along.ranges:
            one.first().places.append(Place(tensor, dim, start=start))
            start += one.channels

    def joined(self, first: Along, second: Along) -> Along | None:
        """Two tensors' channels as the same ones; None where they do not lie alike."""
        if [one.channels for one in first.ranges] != [one.channels for one in second.ranges]:
            return None
        for one, two in zip(first.ranges, second.ranges, strict=True):
            self._join(one.first(), two.first())
        return first

    def _join(self, one: Range, two: Range) -> None:
        if one is not two:
            earlier, later = sorted((one, two), key=lambda found: found.number)
            later.joined = earlier
            earlier.places += later.places
            earlier.fixed |= later.fixed
            earlier.depthwise |= later.depthwise

    def layer(self, weight: Any, kind: type) -> str:
        """The name of the layer whose weights these are; empty where no such layer has them, or where they are used for
        the second time: then the channels that lie in them are fixed."""
        name = self.name(weight)
        path, _, own = name.rpartition(".")
        if own != "weight" or not isinstance(self._modules[path], kind):
            return ""
        users = [one for one in self._all if any(place.tensor == name for place in one.places)]
        for one in users:
            one.first().fixed = True
        return "" if users else path

    def is_layer(self, path: str, kind: type) -> bool:
        """Whether a module is of that kind."""
        return isinstance(self._modules.get(path), kind)

    def name(self, tensor: Any) -> str:
        """The name of a parameter or buffer, empty for others."""
        return self._names.get(id(tensor), "")

    def _new(self, channels: int) -> Range:
        one = Range(len(self._all), channels)
        self._all.append(one)
        return one


def tensors_in(given: Any) -> Iterator[Tensor]:
    """All tensors in nested containers."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, list | tuple):
        for one in given:
            yield from tensors_in(one)
    elif isinstance(given, dict):
        yield from tensors_in(list(given.values()))
