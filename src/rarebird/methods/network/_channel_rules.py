"""What each call of torch does to the channels of its tensors; a call not listed fixes the channels that enter it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from rarebird.methods.network._channel_ranges import Along, Range, Ranges

# Calls that change each entry by itself, by name without underscores.
ENTRYWISE = (
    *("relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "silu", "gelu", "elu", "selu", "leaky_relu", "mish"),
    *("sigmoid", "tanh", "softplus", "clamp", "clamp_min", "square", "sqrt", "neg", "abs", "sign"),
    *("dropout", "dropout2d", "contiguous", "clone", "detach", "to", "float", "type_as"),
)
SUMS_AND_PRODUCTS = ("add", "iadd", "radd", "mul", "imul", "rmul", "sub", "isub", "div", "truediv", "itruediv")
POOLING = tuple(f"{kind}_pool{d}d" for kind in ("adaptive_avg", "adaptive_max", "avg", "max") for d in (1, 2))
REDUCTIONS = ("mean", "sum", "amax", "amin")


@dataclass(frozen=True)
class Call:
    """A call of torch with its result."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Tensor

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by place or name."""
        return self.args[place] if place < len(self.args) else self.kwargs.get(name, default)

    @property
    def x(self) -> Any:
        """The first argument."""
        return self.given(0, "input")


Rule = Callable[[Ranges, Call], Along | None]


def rule_of(function: str) -> Rule | None:
    """What a call does to channels: the channels of its result, or None where these are not known; None for a call of
    which nothing is known.

    Args:
        function: torch's name of it.
    """
    return RULES.get(function.strip("_"))


def _kept(ranges: Ranges, call: Call) -> Along | None:
    return ranges.along(call.x)


def _convolved(ranges: Ranges, call: Call) -> Along | None:
    x, weight, groups = call.x, call.given(1, "weight"), call.given(6, "groups", 1)
    layer, axis, known = ranges.layer(weight, _ConvNd), call.result.ndim - weight.ndim + 1, ranges.along(x)
    if not layer:
        return None
    if groups == 1:
        if known is not None:
            ranges.lie(known, f"{layer}.weight", 1)
        return ranges.made(layer, weight.shape[0], axis)
    if known is None or groups != weight.shape[0] or weight.shape[1] != 1:  # several channels share a group
        return None
    for part in ("weight", "bias"):
        ranges.lie(known, f"{layer}.{part}")
    for one in known.ranges:
        one.first().depthwise = True
    return known


def _linear(ranges: Ranges, call: Call) -> Along | None:
    x, weight = call.x, call.given(1, "weight")
    layer, known = ranges.layer(weight, nn.Linear), ranges.along(x)
    if not layer or (known is not None and known.axis != x.ndim - 1):
        return None
    if known is not None:
        ranges.lie(known, f"{layer}.weight", 1)
    return ranges.made(layer, weight.shape[0], call.result.ndim - 1)


def _normalized(ranges: Ranges, call: Call) -> Along | None:
    known = ranges.along(call.x)
    names = [
        ranges.name(call.given(place, part))
        for place, part in ((1, "running_mean"), (2, "running_var"), (3, "weight"), (4, "bias"))
    ]
    layers = {name.rpartition(".")[0] for name in names if name}
    if known is None or known.axis != 1 or len(layers) != 1 or not ranges.is_layer(layers.pop(), _BatchNorm):
        return None
    for name in names:
        if name:
            ranges.lie(known, name)
    return known


def _combined(ranges: Ranges, call: Call) -> Along | None:
    """A sum or product of two tensors, of a tensor and a parameter, or of a tensor and a number."""
    first, second = call.x, call.given(1, "other")
    known, other = ranges.along(first), ranges.along(second)
    if known is None:
        first, second, known, other = second, first, other, known
    if known is None or not isinstance(first, Tensor):
        return None
    from_end = known.axis - first.ndim
    axis = call.result.ndim + from_end
    if other is not None:
        same_axis = isinstance(second, Tensor) and other.axis - second.ndim == from_end
        both = ranges.joined(known, other) if same_axis else None
        return None if both is None else replace(both, axis=axis)
    if not isinstance(second, Tensor) or second.ndim < -from_end or second.shape[from_end] == 1:
        return replace(known, axis=axis)
    name = ranges.name(second)
    if not name or second.shape[from_end] != first.shape[from_end]:
        return None
    ranges.lie(known, name, second.ndim + from_end)
    return replace(known, axis=axis)


def _resized(ranges: Ranges, call: Call) -> Along | None:
    """Pooling, resizing and padding, of sides alone."""
    known, x = ranges.along(call.x), call.x
    same = known is not None and x.ndim == call.result.ndim and known.axis == 1
    return known if same and x.shape[:2] == call.result.shape[:2] else None


def _reduced(ranges: Ranges, call: Call) -> Along | None:
    known, x, given = ranges.along(call.x), call.x, call.given(1, "dim")
    if known is None or given is None:
        return None
    dims = {dim % x.ndim for dim in ((given,) if isinstance(given, int) else given)}
    if known.axis in dims:
        return None
    gone = 0 if call.result.ndim == x.ndim else sum(dim < known.axis for dim in dims)
    return replace(known, axis=known.axis - gone)


def _flattened(ranges: Ranges, call: Call) -> Along | None:
    known, x = ranges.along(call.x), call.x
    start = call.given(1, "start_dim", 0) % max(x.ndim, 1)
    if known is None or known.axis > start or (known.axis == start and x.shape[known.axis + 1 :].numel() > 1):
        return None
    return known if call.result.shape[: known.axis + 1] == x.shape[: known.axis + 1] else None


def _permuted(ranges: Ranges, call: Call) -> Along | None:
    known = ranges.along(call.x)
    order = call.args[1] if len(call.args) == 2 and not isinstance(call.args[1], int) else call.args[1:]
    order = order or call.kwargs.get("dims", ())
    if known is None or not order:
        return None
    return replace(known, axis=[dim % call.x.ndim for dim in order].index(known.axis))


def _concatenated(ranges: Ranges, call: Call) -> Along | None:
    """Channels one after another; those of a tensor that is not known are fixed ones."""
    parts, dim = call.given(0, "tensors"), call.given(1, "dim", 0) % call.result.ndim
    known = [ranges.along(part) for part in parts]
    if all(one is None for one in known) or any(one is not None and one.axis != dim for one in known):
        return None
    found: list[Range] = []
    for part, one in zip(parts, known, strict=True):
        found += (ranges.unknown(part.shape[dim]),) if one is None else one.ranges
    return Along(dim, tuple(found))


RULES: dict[str, Rule] = {
    **dict.fromkeys(ENTRYWISE, _kept),
    **dict.fromkeys(SUMS_AND_PRODUCTS, _combined),
    **dict.fromkeys((*POOLING, "interpolate", "pad"), _resized),
    **dict.fromkeys(REDUCTIONS, _reduced),
    **dict.fromkeys(("conv1d", "conv2d"), _convolved),
    "linear": _linear,
    "batch_norm": _normalized,
    "flatten": _flattened,
    "permute": _permuted,
    "cat": _concatenated,
}
