"""Train one recipe by several processes: the first one does what `fit_recipe` does, the others share its trainings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from rarebird.core.checks import DataError, UnavailableError
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data.fingerprint import fingerprint
from rarebird.executors.ranks import OtherRanks, Rank, RankLostError, of_torchrun, others
from rarebird.experiment.agreement import agree
from rarebird.experiment.run import Outcome
from rarebird.experiment.setup import prepare_run
from rarebird.experiment.training import shared_cost, train, training_clock
from rarebird.runs.fit_recipe import fit_recipe, with_other_rows
from rarebird.runs.request import Request, find_copies, read_any_recipe_and_data
from rarebird.training import distributed
from rarebird.training.device import choose_device, threads
from rarebird.training.shared_memory import Meeting


def fit_on_devices(
    request: Request, clock: Clock, devices: int | None = None, progress: Progress = silent, resume: bool = False
) -> Outcome | None:
    """`fit_recipe` by several processes, each with a GPU or a share of the CPU threads of its own.

    Args:
        request: Data, recipe and folder; its threads are those of each process.
        clock: The budget.
        devices: The number of processes, which are started; None under ``torchrun``, which started them.
        progress: As for `fit_recipe`; the first process alone calls it.
        resume: As for `fit_recipe`.

    Returns:
        The outcome; None in a process that is not the first one.

    Raises:
        DataError: The data, the recipe or the devices cannot be used, or the processes disagree.
        UnavailableError: A process ended before the training did; nothing has been written.
    """
    rank = of_torchrun()
    if rank is None:
        each = request.threads or max(1, torch.get_num_threads() // (devices or 1))
        request = replace(request, device=_kind_of_device(request.device, devices or 1))
        with others(take_part, (request, clock, each), devices or 1, each) as (first, started):
            return _lead(first, request, clock, progress, each, started, resume)
    if devices not in (None, rank.ranks):
        raise DataError(f"torchrun started {rank.ranks} processes, but --devices is {devices}; leave --devices out.")
    each = request.threads or max(1, torch.get_num_threads() // rank.on_machine)
    request = replace(request, device=_kind_of_device(request.device, rank.on_machine))
    if rank.is_first:
        return _lead(rank, request, clock, progress, each, None, resume)
    try:
        take_part(rank, request, clock, each)
    except RankLostError:
        raise UnavailableError(f"Process {rank.number} of {rank.ranks} lost the others, and ends.") from None
    return None


def take_part(rank: Rank, request: Request, clock: Clock, each: int) -> None:
    """What a rank beside the first one does: read the same rows, split them in the same way, and train along.

    Args:
        rank: This process.
        request: As in `fit_on_devices`.
        clock: The budget.
        each: CPU threads of this process.

    Raises:
        RankLostError: Another rank ended.
    """
    with _group(rank, request.device, each) as device, threads(request.threads):
        try:
            recipe, data = with_other_rows(*read_any_recipe_and_data(request, clock), request)
            copies, name = find_copies(data, request.keep_copies), fingerprint(data.train)
        except DataError as error:
            distributed.from_all({distributed.PROBLEM: str(error)})
            raise
        checkpoints = agree(recipe, name)
        setup = prepare_run(recipe, data, device=device, positive=request.positive, copies=copies)
        recipe = setup.settled(recipe)
        deadline = distributed.agreed(training_clock(recipe, clock).training_deadline())
        train(recipe, setup, Compute(device, deadline, checkpoints=checkpoints))
        shared_cost()


def _lead(
    rank: Rank,
    request: Request,
    clock: Clock,
    progress: Progress,
    each: int,
    started: OtherRanks | None,
    resume: bool,
) -> Outcome:
    """What the first rank does; `started` are the others, if it started them."""
    try:
        with _group(rank, request.device, each) as device:
            return fit_recipe(replace(request, device=device), clock, progress, resume)
    except RankLostError:
        why = (None if started is None else started.why_ended()) or "another process ended"
        raise UnavailableError(f"{why[0].upper()}{why[1:]} before the training did; no result was written.") from None


@contextmanager
def _group(rank: Rank, device: str, each: int) -> Iterator[str]:
    """The group of all ranks; yields this rank's device."""
    if device == "cuda":
        device = f"cuda:{rank.local}"
        torch.cuda.set_device(device)
    try:
        with threads(each):
            meeting = None if rank.memory is None else Meeting(rank.memory, rank.signals, rank.check)
            distributed.join(rank.number, rank.ranks, device, rank.file, meeting)
            yield device
    except RuntimeError as error:
        if not distributed.is_lost(error):
            raise
        raise RankLostError(str(error)) from error
    finally:
        distributed.leave()


def _kind_of_device(wanted: str, processes: int) -> str:
    """``cpu`` or ``cuda`` for all processes of a machine.

    Raises:
        DataError: One GPU is named, or there are fewer GPUs than processes.
    """
    kind = choose_device(wanted)
    if kind.startswith("cuda:") and processes > 1:
        raise DataError(f"{processes} processes cannot share the device {kind}; give --device cuda, or cpu.")
    if kind == "cuda" and torch.cuda.device_count() < processes:
        raise DataError(
            f"{processes} devices are asked for, but this machine has {torch.cuda.device_count()} GPUs; give fewer, or "
            "--device cpu."
        )
    return kind
