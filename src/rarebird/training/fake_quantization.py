"""Quantization-aware training: in the forward pass weights and activations are rounded as int8 arithmetic rounds them,
and gradients pass as if they were not (straight-through), so that the weights learn to be rounded.

Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, "Quantization and training of neural networks for
efficient integer-arithmetic-only inference", CVPR 2018; Bengio, Leonard and Courville, "Estimating or propagating
gradients through stochastic neurons for conditional computation", 2013 (straight-through); Krishnamoorthi, "Quantizing
deep convolutional networks for efficient inference: a whitepaper", 2018 (a scale per channel). Weights have 8 bits with
a sign and a scale per output channel, the largest of the channel over 127. Activations have 8 bits without a sign, and
one scale and zero point from the running range of their values.

What is rounded: the weights and the inputs of each linear layer and convolution, and what a convolution gives, after
its batch normalization and ReLU, where anything but another such layer reads it. `compression/rounded_graph.py` writes
the same places into an ONNX file.

NOTE[DIFF]: batch normalization keeps its running statistics meanwhile, and is not folded into the weights that are
rounded: with a scale per channel, rounding before and after a channel is multiplied by a number is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rarebird.training import distributed

# Largest code of a weight; codes of activations are 0 to 255.
WEIGHT_LEVELS, LEVELS = 127, 255
# Share of a batch's range in the running range.
MOMENTUM = 0.05
# Least scale, so that a channel of zeros is divided by something.
SMALLEST = 1e-12
CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)
RECTIFIERS = (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


@dataclass
class ValueRange:
    """The running range of the values of one place; 0 is always inside, as padding must be exact."""

    low: Tensor
    high: Tensor

    def grid(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point ``()`` of the 8-bit codes."""
        scale = ((self.high - self.low) / LEVELS).clamp(min=SMALLEST)
        return scale, (-self.low / scale).round()


@dataclass
class Place:
    """One linear layer or convolution, in the order of the forward pass.

    Attributes:
        weight: Its weights in the last forward pass, output channels first.
        into: Range of its inputs.
        out: 0 or 1 -> range of what it gives, before or after ReLU, where that is rounded.
    """

    weight: Tensor
    into: ValueRange | None = None
    out: dict[int, ValueRange] = field(default_factory=dict)


class FakeQuantization:
    """The rounding of one network: its places and their running ranges.

    Attributes:
        places: Filled by the first forward pass.
        learns: Whether the ranges follow the batches.
    """

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.learns = True

    def saved(self) -> list[dict[str, Any]]:
        """The ranges, for a checkpoint."""
        return [
            {
                "weight": place.weight,
                "into": None if place.into is None else vars(place.into),
                "out": [[stage, vars(known)] for stage, known in place.out.items()],
            }
            for place in self.places
        ]

    def restore(self, kept: list[dict[str, Any]]) -> None:
        """Put back what `saved` gave."""
        self.places = [
            Place(
                one["weight"],
                None if one["into"] is None else ValueRange(**one["into"]),
                {stage: ValueRange(**known) for stage, known in one["out"]},
            )
            for one in kept
        ]

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """In the block, one forward pass of the network is rounded."""
        with _Rounded(self):
            yield

    def rounded_values(self, values: Tensor, known: ValueRange | None) -> tuple[Tensor, ValueRange]:
        """Activations on the grid of their running range, and this range after the batch."""
        if known is None or self.learns:
            known = _with_batch(known, values.detach())
        return on_grid(values, known), known


def fake_quantization(network: nn.Module) -> FakeQuantization:
    """The rounding of a network, which goes with it and its copies; the same at each call."""
    found: FakeQuantization = network.__dict__.setdefault("fake_quantization", FakeQuantization())
    return found


def on_grid(values: Tensor, known: ValueRange) -> Tensor:
    """Values rounded to the 256 codes of their range; the gradient is 1 inside the range and 0 outside."""
    scale, zero = (one.to(values.device) for one in known.grid())
    inside = values.float().clamp(-zero * scale, (LEVELS - zero) * scale)
    return (inside + (scale * (inside / scale).round() - inside).detach()).to(values.dtype)


def rounded_weights(weight: Tensor) -> Tensor:
    """Weights rounded to 8 bits with a scale per output channel (the first axis); the gradient passes."""
    scale = weight_scales(weight)
    return weight + (scale * (weight / scale).round() - weight).detach()


def weight_scales(weight: Tensor) -> Tensor:
    """``(outputs, 1, ...)`` the scale of each output channel."""
    largest = weight.detach().abs().flatten(1).amax(dim=1).clamp(min=SMALLEST * WEIGHT_LEVELS)
    return (largest / WEIGHT_LEVELS).view(-1, *[1] * (weight.ndim - 1))


def _with_batch(known: ValueRange | None, values: Tensor) -> ValueRange:
    low, high = (bound.float() for bound in torch.aminmax(values))
    if distributed.count() > 1:
        # Of the whole batch: each rank's own, in its place of a sum.
        bounds = low.new_zeros(distributed.count(), 2)
        bounds[distributed.rank()] = torch.stack([low, high])
        bounds = distributed.total(bounds)
        low, high = bounds[:, 0].amin(), bounds[:, 1].amax()
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if known is None:
        return ValueRange(low, high)
    return ValueRange(known.low.lerp(low, MOMENTUM), known.high.lerp(high, MOMENTUM))


class _Rounded(TorchFunctionMode):
    """Rounds what enters and leaves the layers of one forward pass, in the order of their calls.

    What a convolution gave is marked with its place until batch normalization and ReLU have been passed; whoever else
    reads it gets it rounded.
    """

    def __init__(self, quantization: FakeQuantization) -> None:
        super().__init__()
        self.quantization = quantization
        self.next = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.linear or func in CONVOLUTIONS:
            return self._layer(func, *args, **kwargs)
        marked = getattr(args[0], "_rounding", None) if args and isinstance(args[0], Tensor) else None
        if marked is not None and (func is F.batch_norm or func in RECTIFIERS):
            place, stage = marked
            given = func(*args, **kwargs)
            given._rounding, given._as_read = (place, stage if func is F.batch_norm else 1), None
            return given
        if _only_looks(func):
            return func(*args, **kwargs)
        args = tuple(self._read(one) for one in args)
        return func(*args, **{name: self._read(one) for name, one in kwargs.items()})

    def _layer(self, func: Callable[..., Any], x: Tensor, weight: Tensor, *others: Any, **named: Any) -> Tensor:
        number, self.next = self.next, self.next + 1
        places = self.quantization.places
        if number == len(places):
            places.append(Place(weight.detach()))
        place = places[number]
        place.weight = weight.detach()
        rounded, place.into = self.quantization.rounded_values(x, place.into)
        given: Tensor = func(rounded, rounded_weights(weight), *others, **named)
        if func in CONVOLUTIONS:
            given._rounding, given._as_read = (place, 0), None  # type: ignore[attr-defined]
        return given

    def _read(self, value: Any) -> Any:
        """A value as another operation reads it; lists of tensors too."""
        if isinstance(value, list | tuple) and any(isinstance(one, Tensor) for one in value):
            return type(value)(self._read(one) for one in value)
        marked = getattr(value, "_rounding", None) if isinstance(value, Tensor) else None
        if marked is None:
            return value
        if value._as_read is None:
            place, stage = marked
            value._as_read, place.out[stage] = self.quantization.rounded_values(value, place.out.get(stage))
        return value._as_read


def _only_looks(func: Callable[..., Any]) -> bool:
    """Whether a function of a tensor tells its shape, type or place, and computes nothing."""
    name = getattr(func, "__name__", "")
    return name in ("__get__", "__set__", "size", "dim", "stride", "is_floating_point", "__len__", "numel", "detach")


def freeze_statistics(network: nn.Module) -> None:
    """Let batch normalization use its running statistics, which also the int8 network uses."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
