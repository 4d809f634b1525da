"""The warm-up of several schedules: the rate rises linearly to its full value."""

from __future__ import annotations

from rarebird.core.checks import require

# Factor of the first step, which is taken at progress 0: at a rate of 0 it would have no effect.
FIRST = 0.01


def rise(progress: float, warm_up: float) -> float:
    """Linear from 0.01 to 1 up to `warm_up`, then 1.

    Raises:
        ValueError: `progress` is not in 0..1.
    """
    require(0 <= progress <= 1, "0 <= progress <= 1", progress=progress)
    return FIRST + (1 - FIRST) * progress / warm_up if progress < warm_up else 1.0


def after(progress: float, warm_up: float) -> float:
    """Share done, 0..1, of the training between `warm_up` and the end."""
    return max(progress - warm_up, 0.0) / (1 - warm_up)
