"""Measures the seconds of a step, and which precision and memory layout make it shortest, on copies of a training."""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.device import Placement, half_precision, threads
from rarebird.training.loop import Training
from rarebird.training.step_plan import StepPlan

# Steps that are not measured, and most steps that are.
WARM_UP_STEPS, MOST_STEPS = 3, 40
# Side of the multiplied matrices by which a number of CPU threads is measured, seconds of a measurement, and how often.
SIDE, WINDOW, ROUNDS = 256, 0.02, 3
# A smaller number of threads is taken if it is faster by this factor: only a busy machine makes it so.
BUSY = 1.5
# How many times more work a next measurement of a task has.
GROWTH = 4
# Least share of a measured time that is of the units of the work.
LEAST_SHARE = 0.1
# Another placement is taken if it is faster by this factor: less is within the noise of a shared machine, and float32
# is the safer choice.
WORTHWHILE = 1.15


def warm_up() -> None:
    """Build one optimizer: torch imports much code for the first one, and this must not count as a recipe's time."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def fastest_placement(
    candidates: Sequence[Placement], make: Callable[[Placement], Training], seconds: float
) -> tuple[Placement, float]:
    """The placement with the shortest step, and the step's seconds.

    Args:
        candidates: Placements to try; the first is preferred unless another is clearly faster.
        make: Makes a training for a placement; its network is copied, and the training itself is not changed.
        seconds: About how long the whole measurement may take.
    """
    timed: list[float] = []
    for placement in candidates:
        with threads(placement.threads):
            timed.append(step_seconds(make(placement), seconds / len(candidates)))
    # Of several ranks, which measure together, the first one decides.
    timed, best = distributed.agreed(timed), 0
    for place, seconds_per_step in enumerate(timed):
        if seconds_per_step * WORTHWHILE < timed[best]:
            best = place
    return candidates[best], timed[best]


def step_seconds(training: Training, seconds: float) -> float:
    """Median seconds of a step, with its batch and augmentation; the training itself is not changed."""
    moments = [time.monotonic()]
    stop_at = moments[0] + seconds

    def is_enough(progress: float) -> bool:
        moments.append(time.monotonic())
        return moments[-1] > stop_at and len(moments) > WARM_UP_STEPS + 2

    copied = replace(
        training,
        network=training.placement.place(copy.deepcopy(training.network)),
        hooks=[copy.deepcopy(hook) for hook in training.hooks],
        validation=None,
        on_step=is_enough,
        history=[],
        checkpoint=None,
    )
    copied.run(StepPlan(WARM_UP_STEPS + MOST_STEPS))
    steps = [after - before for before, after in itertools.pairwise(moments[1:])]
    return statistics.median(steps[WARM_UP_STEPS - 1 :])


def usable_threads(clock: Clock | None, wanted: int | None) -> int | None:
    """CPU threads for a command with a budget: where other programs, or a quota, keep cores busy, fewer than there are.

    Threads wait for each other after each operation. Where one of them waits for a core, an operation that takes 20
    microseconds with one thread took 8 milliseconds with two.

    Args:
        clock: Without it, or a budget, nothing is measured, so that the run repeats exactly.
        wanted: The user's number, which is kept.
    """
    most = torch.get_num_threads()
    if wanted is not None or clock is None or clock.budget is None or most == 1:
        return wanted
    counts = [most >> halvings for halvings in range(most.bit_length())]
    matrix = torch.ones(SIDE, SIDE)
    seconds = dict.fromkeys(counts, 0.0)
    for _, count in itertools.product(range(ROUNDS), counts):
        with threads(count):
            seconds[count] += _product_seconds(matrix)
    best = most
    for count in counts[1:]:
        if seconds[count] * BUSY < seconds[best]:
            best = count
    return best if best < most else None


def _product_seconds(matrix: torch.Tensor) -> float:
    """Mean seconds of a product of matrices."""
    matrix @ matrix  # wakes the threads
    start, products = time.monotonic(), 0
    while (taken := time.monotonic() - start) < WINDOW:
        matrix @ matrix
        products += 1
    return taken / products


def affine_seconds(
    measure: Callable[[int], tuple[float, ...]], most: int, allowed: float
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds that a task takes once, and seconds for each unit of its work: from more and more work, while the time
    allows it.

    The first measurement is repeated, because it also loads what is loaded once, whatever the work. Without the seconds
    that a task takes once, a small measurement would be many times too long for a large task.

    Args:
        measure: Does some units of the work; returns the seconds of each part of the task.
        most: Most units that are measured.
        allowed: Seconds for all measurements after the first two.

    Returns:
        Two arrays with an entry per part: seconds once, seconds per unit; of one measurement, all are per unit.
    """
    seconds = np.array(measure(1))
    once, each = np.zeros_like(seconds), seconds
    if seconds.sum() >= allowed:
        return once, each
    seconds = each = np.array(measure(1))
    size, end = 1, time.monotonic() + allowed
    while size < most:
        more = max(end - time.monotonic() - seconds.sum(), 0.0) / each.sum()
        following = int(min(GROWTH * size, size + more, most))
        if following == size:
            break
        longer = np.array(measure(following))
        # On a shared machine the difference of two short times may be 0 or less.
        each = np.maximum((longer - seconds) / (following - size), LEAST_SHARE * longer / following)
        once = np.maximum(longer - following * each, 0.0)
        size, seconds = following, longer
    return once, each


def placements(recipe: Recipe, kind: str, device: str) -> list[Placement]:
    """The recipe's placement; where the recipe leaves it open, the placements that are worth measuring.

    The first is taken unless another is clearly faster.

    Raises:
        DataError: The device does not compute in the recipe's precision.
    """
    if recipe.precision == "float16" and device == "cpu":
        raise DataError("precision=float16 is for GPUs; on a CPU, give --set precision=bfloat16 or float32.")
    # On a CPU convolutions train faster with channels last (`cnn` 1.7 times, `resnet` 1.2 times at 28 pixels).
    open_layout = recipe.channels_last is None and device == "cpu"
    channels_last = kind == "image" and (open_layout or bool(recipe.channels_last))
    counts = _thread_counts(recipe.threads, kind, device)
    if recipe.precision != "auto":
        return [Placement(device, recipe.precision, channels_last, count) for count in counts]
    plain = [Placement(device, "float32", channels_last, count) for count in counts]
    if kind == "table" and device == "cpu":
        return plain
    half = half_precision(device)
    return [*plain, Placement(device, half, kind == "image" and recipe.channels_last is not False, counts[0])]


def _thread_counts(wanted: int | None, kind: str, device: str) -> list[int]:
    """CPU threads worth measuring.

    A table's steps are short: threads wait for each other longer than they work, and even longer on a busy machine
    (mammography, 256 rows a step, one core busy: 7 ms with one thread, 41 ms with two).
    """
    if wanted is not None:
        return [wanted]
    # Of several ranks, all must measure the same numbers.
    available = int(distributed.decided(torch.get_num_threads()))
    if device != "cpu" or available == 1:
        return [available]
    return [1, available] if kind == "table" else [available, 1]
