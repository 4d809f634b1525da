"""The time axis of padded series: which steps belong to a series, and its values between steps."""

from __future__ import annotations

import torch
from torch import Tensor


def own_steps(lengths: Tensor, steps: int) -> Tensor:
    """``(batch, 1, steps)`` bool: True within each series' own `lengths` ``(batch,)``, False in its padding."""
    return (torch.arange(steps, device=lengths.device) < lengths[:, None])[:, None]


def interpolated(values: Tensor, times: Tensor) -> Tensor:
    """Values at `times`, by linear interpolation between steps.

    Args:
        values: ``(batch, channels, steps)``.
        times: ``(batch, n)`` in steps, 0 to steps - 1; all channels of a row share them.

    Returns:
        ``(batch, channels, n)`` in the dtype of `values`; at whole times exactly the step's own value.
    """
    before = times.floor()
    lower = before.long()[:, None].expand(-1, values.shape[1], -1)
    upper = (lower + 1).clamp(max=values.shape[-1] - 1)
    return torch.lerp(values.gather(-1, lower), values.gather(-1, upper), (times - before)[:, None].to(values.dtype))
