"""Run a recipe on data: the product on one page, and the only place that knows the order of things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

import rarebird
from rarebird import judging
from rarebird.artifact import Member, Model
from rarebird.checks import DataError, nearest
from rarebird.clock import Clock
from rarebird.data import duplicates, split
from rarebird.data.dataset import Dataset, Splits
from rarebird.member import Trained
from rarebird.metrics import names
from rarebird.networks import Report, train_networks
from rarebird.recipe import Recipe
from rarebird.result import Result
from rarebird.training.device import choose_device
from rarebird.training.views import views

# Seconds kept for what follows training, besides the prediction and scoring of held-out and test rows: files and the report.
RESERVE = 4.0
RESERVE_SHARE = 0.02
TEST_SHARE = 0.2
# Below this share of the budget, the user is told why the run ended early.
EARLY = 0.7


@dataclass
class Outcome:
    """What a run gives.

    Attributes:
        recipe: The recipe with everything laid out, which repeats the run.
        out_of_fold: ``(n, n_outputs)`` held-out probabilities (or values), NaN for rows that were never held out; None without such rows.
        splits: The rows as they were split; `test` was judged once.
    """

    model: Model
    result: Result
    recipe: Recipe
    out_of_fold: np.ndarray | None
    splits: Splits


def run(
    recipe: Recipe,
    data: Splits,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    positive: str | None = None,
    test_share: float = TEST_SHARE,
    duplicate_groups: np.ndarray | None = None,
    report: Report = lambda progress, what: False,
) -> Outcome:
    """Split, train, calibrate, decide and judge.

    Args:
        recipe: What to train; what it leaves open is laid out and recorded.
        data: Rows, with validation and test rows where the data came so.
        clock: The budget, for a recipe that leaves its steps open; None: the recipe's epochs, without a limit.
        device: A torch device, or ``auto``.
        positive: For two classes, of which one precision, recall and average precision speak; None: the rarer.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        duplicate_groups: `duplicates.duplicate_groups` of the training rows, where it is known already.
        report: Told of the progress 0..1 and of what is being done; True from it ends the training early, keeping what is there.

    Raises:
        DataError: The rows, their split or the recipe cannot serve.
    """
    # A recipe that lays out its steps is not bound by a clock: it gives the same run each time.
    clock = clock if clock and recipe.steps is None else Clock()
    timings: dict[str, float] = {}
    notes = list(data.notes)
    device = choose_device(device)
    with threads(recipe.threads) as n_threads:
        recipe = recipe.updated(threads=n_threads)

        with _timed(timings, "split"):
            splits = separate(data, recipe, test_share, notes, duplicate_groups)
            train, val = splits.train, splits.val
            positive = _positive(train, positive)
            protocol = split.decide(train, val, folds=recipe.folds, holdout=recipe.holdout)
            recipe = recipe.updated(folds=protocol.folds, holdout=protocol.holdout or None)
            parts = split.parts(train, protocol, recipe.seed)
            notes += _too_few(train)

        with _timed(timings, "train"):
            deadline = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0))
            recipe, trained, stopped = train_networks(recipe, splits, parts, deadline, device, report)
            notes += dict.fromkeys(note for one in trained for note in one.notes)
            notes += _ended_early(recipe, trained, clock, f"at {len(trained)} of {len(parts)} networks" if stopped else "")

        with _timed(timings, "calibrate and decide"):
            report(1.0, "calibrating")
            members = [Member(one.network, one.prepared, (), views(recipe, one.prepared.spec)) for one in trained]
            prior = np.zeros(0) if train.task == "regression" else train.weighted_counts / train.weighted_counts.sum()
            model = Model(recipe, members, None, prior, train.target, positive, device, versions())
            held_rows = [np.arange(len(val)) if val is not None else held for _, held in parts[: len(trained)]]
            factors = [one.prior_factor for one in trained]
            validation, out_of_fold = judging.complete(model, train if val is None else val, held_rows, factors)

        with _timed(timings, "test"):
            report(1.0, "judging the test rows")
            test = None if splits.test is None else judging.scores(model, splits.test)

    counts = [] if train.class_counts is None else train.class_counts.tolist()
    result = Result(
        kind=train.kind,
        task=train.task,
        name=train.name,
        n_train=len(train),
        n_test=0 if splits.test is None else len(splits.test),
        classes=list(train.classes),
        class_counts=dict(zip(train.classes, counts, strict=True)),
        positive=positive,
        metric=recipe.metric,
        protocol=protocol.reason,
        test=test,
        validation=validation,
        history=[{"fold": float(fold), **entry} for fold, one in enumerate(trained) for entry in one.history],
        timings=timings,
        versions=model.versions,
        notes=notes,
    )
    return Outcome(model, result, recipe, out_of_fold, splits)


def separate(data: Splits, recipe: Recipe, test_share: float, notes: list[str], duplicate_groups: np.ndarray | None = None) -> Splits:
    """Training, validation and test rows; near-duplicates form groups where no groups were given, so that they do not straddle.

    Raises:
        DataError: The rows are not what the recipe is for, or a part or class of them has none left.
    """
    _check(data, recipe)
    train, val, test = data.train, data.val, data.test
    if train.group is None and (val is None or test is None):
        code = duplicates.duplicate_groups(train) if duplicate_groups is None else duplicate_groups
        repeated = len(code) - len(np.unique(code))
        if repeated:
            train = replace(train, group=code)
            notes.append(f"Rows that copy another row, or nearly so: {repeated}; each stays on one side of every split with its original.")
    train, val = _counting(train, notes), None if val is None else _counting(val, notes).aligned(train.classes)
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share:
        held = split.hold_out(train, test_share, recipe.seed, "test")
        train, test = train.take(~held), train.take(held)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(
            f"Class {absent!r} has no row left to train on; give more rows of it (of weight above 0), or test rows with --test."
        )
    return Splits(train, val, test, data.notes)


def _check(data: Splits, recipe: Recipe) -> None:
    """What can be refused before anything is trained."""
    if recipe.kind != data.train.kind:
        raise DataError(f"The recipe is for data of kind {recipe.kind!r}, but {data.train.name} holds data of kind {data.train.kind!r}.")
    if data.train.task == "classification" and names.metric(recipe.metric, data.train.classes).needs == "values":
        raise DataError(f"The metric {recipe.metric!r} judges numbers, but the target holds classes; choose another with --metric.")
    for part, what in ((data.train, "training"), (data.val, "validation"), (data.test, "test")):
        if part is not None and (part.y is None or not len(part)):
            raise DataError(f"{part.name} has no {what} rows with labels; give some.")


def _counting(rows: Dataset, notes: list[str]) -> Dataset:
    """The rows of a weight above 0: one of weight 0 counts as if it were not there, for scales, folds and batches too."""
    nothing = rows.weights <= 0
    if not nothing.any():
        return rows
    notes.append(f"Rows of {rows.name} with a weight of 0, which are left out: {int(nothing.sum())}.")
    return rows.take(~nothing)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import platform

    import sklearn

    return {
        "rarebird": rarebird.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _ended_early(recipe: Recipe, trained: list[Trained], clock: Clock, stopped: str) -> list[str]:
    """Why a training ended before it had to; `stopped` says where the user ended it."""
    if stopped:
        return [f"Training was ended early, {stopped}."]
    if clock.budget is None or clock.elapsed() >= EARLY * clock.budget:
        return []
    why = {
        "epochs": f"after {recipe.epochs or 0:g} passes over the rows; more were not expected to help (--set epochs=N allows them).",
        "stop": "when held-out rows stopped gaining.",
    }
    return [f"Training ended before the budget, {why[cause]}" for cause in why if any(one.ended == cause for one in trained)][:1]


def _positive(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures speak of.

    Raises:
        DataError: No such class.
    """
    if train.task == "regression":
        return None
    if positive is not None and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; {nearest(positive, train.classes)}")
    counts = train.class_counts
    assert counts is not None
    return positive if positive is not None or train.n_classes > 2 else train.classes[int(counts.argmin())]


def _too_few(train: Dataset) -> list[str]:
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return [
        f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
        for label, count in zip(train.classes, counts, strict=True)
        if count < 3
    ]


@contextmanager
def threads(wanted: int | None) -> Iterator[int]:
    """torch on `wanted` threads, and afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Puts the seconds of a block into `timings` under a name."""
    start = time.monotonic()
    yield
    timings[name] = round(time.monotonic() - start, 3)
