"""timm's models by name: checked, built without weights or with given ones, and measured without being computed.

timm is imported where it is needed, because it takes seconds. No function here asks a hub or fetches a file.
"""

# Shape legend: B batch, H W sides of the last map, N tokens, M channels of the last map.

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, nearest

Pooling = Literal["mean", "mean_max", "levels", "roots", "statistics"]
# Those that read inner maps, too; and those of them that read the maps between timm's own.
INNER: tuple[Pooling, ...] = ("levels", "roots", "statistics")
BETWEEN: tuple[Pooling, ...] = ("roots", "statistics")
# Of the inner maps that timm gives, at most these are pooled, evenly spread.
MOST_LEVELS: dict[Pooling, int] = {"levels": 6, "roots": 8, "statistics": 8}
# Added to a variance before its root is taken, so that the slope is finite where a map is constant.
LEAST_VARIANCE = 1e-6


def check_name(model: str) -> None:
    """Refuse what is no name of a model; an address of a hub or a folder is none.

    Raises:
        ValueError: timm has no such model.
    """
    import timm

    known = timm.list_models()
    if model not in known and model not in timm.list_pretrained():
        raise ValueError(f"timm has no model {model!r}; {nearest(model, known, most=8)}")


def create(
    model: str, args: Mapping[str, Any], channels: int, sides: tuple[int, int], tensors: dict[str, Tensor] | None = None
) -> nn.Module:
    """timm's model without a head; with `tensors`, timm loads these in place of its own weights."""
    import timm

    wanted: dict[str, Any] = {**args, "num_classes": 0, "in_chans": channels}
    if config(model).get("fixed_input_size"):
        wanted["img_size"] = sides
    if tensors is not None:
        wanted |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": tensors, "custom_load": False}}
    network: nn.Module = timm.create_model(model, **wanted)
    return network


@lru_cache(maxsize=64)
def config(model: str) -> dict[str, Any]:
    """timm's data config of a model, read without building it."""
    import timm
    from timm.data.config import resolve_data_config

    own: Any = timm.get_pretrained_cfg(model)
    known = {} if own is None else own.to_dict()
    resolve: Any = resolve_data_config
    return {**resolve({}, pretrained_cfg=known), "fixed_input_size": known.get("fixed_input_size", False)}


@dataclass(frozen=True)
class Layout:
    """The features of a body.

    Attributes:
        widths: How many there are of each part: timm's own, the maxima of the last map, and so on.
        levels: Of timm's inner maps, those that are pooled, too.
    """

    widths: tuple[int, ...]
    levels: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many features there are."""
        return sum(self.widths)


@lru_cache(maxsize=64)
def layout(model: str, args: str, channels: int, sides: tuple[int, int], pooling: Pooling) -> Layout:
    """The features of a body, from a pass without memory and without numbers.

    Args:
        model: timm's name.
        args: Its other arguments as JSON.
        channels: Of the pictures.
        sides: Height and width of the pictures.
        pooling: As in `pooled`.

    Raises:
        DataError: timm does not build the model with these arguments, or it does not take pictures of this size.
    """
    given = json.loads(args) or {}
    said = f"The backbone {model!r}" + (f" with model_args={given}" if given else "")
    try:
        with torch.device("meta"):
            body: Any = create(model, given, channels, sides).eval()
    except Exception as error:  # whatever a model's constructor raises
        raise DataError(f"{said} cannot be built: {first_line(error)}") from None
    pixels = torch.empty(1, channels, *sides, device="meta")
    levels: tuple[int, ...] = ()
    try:
        with torch.no_grad():
            if pooling in INNER:
                n = len(body.forward_intermediates(pixels, intermediates_only=True, **_between(body, pooling)))
                most = MOST_LEVELS[pooling]
                levels = tuple(round(place * (n - 1) / (most - 1)) for place in range(most))
                levels = tuple(range(n)) if n <= most else levels
            parts = pooled(body, pixels, pooling, levels)
            return Layout(tuple(part.shape[1] for part in parts), levels)
    except Exception as error:  # whatever a model's layers raise
        if pooling in INNER and not hasattr(body, "forward_intermediates"):
            raise DataError(f"{said} gives no inner maps; set network.pooling=mean_max.") from None
        raise DataError(
            f"{said} does not take pictures of {sides[1]} x {sides[0]} px ({first_line(error)}); "
            f"it was made for {config(model)['input_size'][-1]} px: set network.size."
        ) from None


def pooled(body: Any, pixels: Tensor, pooling: Pooling, levels: Sequence[int]) -> list[Tensor]:
    """``(B, width)`` features of standardized pixels, part by part: timm's own; unless ``mean``, also the maxima of the
    last map; for ``levels`` and ``roots``, also means and maxima of inner maps; for ``statistics``, also their minima
    and deviations."""
    inner: list[Tensor] = []
    if pooling in INNER:
        maps, inner = body.forward_intermediates(pixels, indices=list(levels), **_between(body, pooling))
    else:
        maps = body.forward_features(pixels)
    features = [body.forward_head(maps, pre_logits=True)]
    if pooling != "mean":
        features.append(_maxima(maps, body))
    for level in inner:
        features += [level.mean(dim=(2, 3)), level.amax(dim=(2, 3))]
        if pooling == "statistics":
            features += [level.amin(dim=(2, 3)), _deviations(level)]
    return features


def _deviations(level: Tensor) -> Tensor:
    """``(B, M)``: the deviation of each channel of a map ``(B, M, H, W)``. From means, in float32: torch's own variance
    takes 25 times as long where channels come last."""
    values = level.float()
    variances = values.square().mean(dim=(2, 3)) - values.mean(dim=(2, 3)).square()
    return (variances.clamp(min=0) + LEAST_VARIANCE).sqrt()


def _between(body: Any, pooling: Pooling) -> dict[str, bool]:
    """Asks for the maps between those of timm's list, too, of which bodies such as mobilenetv2 have some: the list has
    one for each size of a map."""
    extra = pooling in BETWEEN and "extra_blocks" in inspect.signature(body.forward_intermediates).parameters
    return {"extra_blocks": True} if extra else {}


def _maxima(maps: Tensor, body: Any) -> Tensor:
    """``(B, M)``: the maximum of each channel of the last map, ``(B, M, H, W)``, ``(B, H, W, M)`` or ``(B, N, M)``."""
    if maps.ndim == 4:
        last = str(getattr(body, "output_fmt", "NCHW")).upper().endswith("NHWC")
        return maps.amax(dim=(1, 2) if last else (2, 3))
    return maps[:, getattr(body, "num_prefix_tokens", 0) :].amax(dim=1)


def last_map(body: Any) -> str:
    """The name of the module that gives the body's last map, ``(B, M, H, W)``; empty where it has tokens or none."""
    tokens = hasattr(body, "num_prefix_tokens") or str(getattr(body, "output_fmt", "NCHW")).upper().endswith("NHWC")
    stages = getattr(body, "feature_info", None)
    if tokens or not stages:
        return ""
    last = (stages if isinstance(stages, list) else stages.get_dicts())[-1]
    return str(last.get("module", ""))


def load(
    body: nn.Module,
    tensors: Mapping[str, Tensor],
    model: str,
    args: Mapping[str, Any],
    channels: int,
    sides: tuple[int, int],
) -> list[str]:
    """Load tensors into a body that `create` built with the same arguments, as timm loads its own weights.

    Returns:
        The names of the body's tensors that have their values from `tensors`. A tensor counts if timm's loading changed
        it, or if it equals that of the same name: timm itself does not say what it loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        before = create(model, args, channels, sides).state_dict()
        torch.manual_seed(0)
        after = create(model, args, channels, sides, dict(tensors)).state_dict()
    loaded = [
        name for name, part in after.items() if not torch.equal(part, before[name]) or _equal(part, tensors.get(name))
    ]
    body.load_state_dict({**body.state_dict(), **{name: after[name] for name in loaded}})
    return loaded


def _equal(part: Tensor, other: Tensor | None) -> bool:
    return other is not None and other.shape == part.shape and torch.equal(part, other.to(part))


def per_channel(given: Any, channels: int, name: str) -> tuple[float, ...]:
    """One number per channel: of three given ones the mean for one channel, in turn for more than three."""
    values = tuple(given) if isinstance(given, list | tuple) else (float(given),)
    if len(values) not in (1, 3, channels):
        raise DataError(f"network.{name} has one number, or one per channel ({channels}), but got {given!r}.")
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(float(values[channel % len(values)]) for channel in range(channels))


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
