"""timm's models by name: checked, built without weights or with given ones, and measured without being computed.

timm is imported where it is needed, because it takes seconds. No function here asks a hub or fetches a file.
"""

# Shape legend: B batch, H W sides of the last map, N tokens, M channels of the last map.

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, nearest


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


@lru_cache(maxsize=64)
def widths(model: str, args: str, channels: int, height: int, width: int) -> tuple[int, int]:
    """The widths of a body's features and of its last map, from a pass without memory and without numbers.

    Raises:
        DataError: timm does not build the model with these arguments, or it does not take pictures of this size.
    """
    given = json.loads(args) or {}
    said = f"The backbone {model!r}" + (f" with model_args={given}" if given else "")
    try:
        with torch.device("meta"):
            body: Any = create(model, given, channels, (height, width)).eval()
    except Exception as error:  # whatever a model's constructor raises
        raise DataError(f"{said} cannot be built: {_first_line(error)}") from None
    try:
        with torch.no_grad():
            maps = body.forward_features(torch.empty(1, channels, height, width, device="meta"))
            return body.forward_head(maps, pre_logits=True).shape[1], maxima(maps, body).shape[1]
    except Exception as error:  # whatever a model's layers raise
        own = config(model)["input_size"][-1]
        raise DataError(
            f"{said} does not take pictures of {width} x {height} px ({_first_line(error)}); "
            f"it was made for {own} px: set network.size."
        ) from None


def maxima(maps: Tensor, body: Any) -> Tensor:
    """``(B, M)``: the maximum of each channel of the last map, ``(B, M, H, W)``, ``(B, H, W, M)`` or ``(B, N, M)``."""
    if maps.ndim == 4:
        last = str(getattr(body, "output_fmt", "NCHW")).upper().endswith("NHWC")
        return maps.amax(dim=(1, 2) if last else (2, 3))
    return maps[:, getattr(body, "num_prefix_tokens", 0) :].amax(dim=1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
