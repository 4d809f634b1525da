"""How long a step takes, and which precision and memory layout make it shortest: a short measurement on throw-away
copies."""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Sequence

from rarebird.training.device import Placement, threads
from rarebird.training.loop import Training
from rarebird.training.step_plan import Course

WARM_UP_STEPS = 3
MOST_STEPS = 40
# A faster candidate must be faster by this factor: less is within the noise of a shared machine, and float32 is the
# safer choice.
WORTHWHILE = 1.15


def warm_up() -> None:
    """Have torch import what it imports with the first optimizer, so that no recipe's time is taken for it."""
    import torch

    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def fastest(
    candidates: Sequence[Placement], make: Callable[[Placement], Training], seconds: float
) -> tuple[Placement, float]:
    """The placement with the shortest step, and the step's seconds.

    Args:
        candidates: Placements to try; the first is preferred unless another is clearly faster.
        make: A training for a placement; its network is copied, so that nothing of it changes.
        seconds: About how long the measurement may take in all.
    """
    timed = []
    for placement in candidates:
        with threads(placement.threads):
            timed.append((step_seconds(make(placement), seconds / len(candidates)), placement))
    best_seconds, best = timed[0]
    for step, placement in timed[1:]:
        if step * WORTHWHILE < best_seconds:
            best_seconds, best = step, placement
    return best, best_seconds


def step_seconds(training: Training, seconds: float) -> float:
    """Median seconds of a step, batches and augmentation included."""
    training.network = training.placement.place(copy.deepcopy(training.network))
    training.judge, training.hooks = None, [copy.deepcopy(hook) for hook in training.hooks]
    moments = [time.monotonic()]
    stop_at = moments[0] + seconds
    course = Course(WARM_UP_STEPS + MOST_STEPS)

    def look(progress: float) -> bool:
        moments.append(time.monotonic())
        return moments[-1] > stop_at and len(moments) > WARM_UP_STEPS + 2

    training.report = look
    training.run(course)
    steps = [after - before for before, after in itertools.pairwise(moments[1:])]
    return statistics.median(steps[WARM_UP_STEPS - 1 :])
