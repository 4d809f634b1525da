"""Run a recipe on data: the product on one page, and the only place that knows the order of things."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

import rarebird
from rarebird import judging
from rarebird.artifact import Member, Model
from rarebird.checks import DataError
from rarebird.clock import Clock
from rarebird.data import duplicates, split
from rarebird.data.dataset import Dataset, Splits
from rarebird.judging import Chain, HeldOut
from rarebird.member import Bench, Trained
from rarebird.recipe import Recipe
from rarebird.result import Result, Scores
from rarebird.scoring import score, score_regression
from rarebird.training.device import choose_device

# Seconds kept for what follows training: the test rows, intervals, files and the report.
RESERVE = 4.0
RESERVE_SHARE = 0.02
TEST_SHARE = 0.2
# Below this share of the budget, the user is told why the run ended early.
EARLY = 0.7

Report = Callable[[float, str], bool]


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
    report: Report = lambda progress, what: False,
) -> Outcome:
    """Split, train, calibrate, decide and judge.

    Args:
        recipe: What to train; what it leaves open is laid out and recorded.
        data: Rows, with validation and test rows where the data came so.
        clock: The budget, counted from its start; None: the recipe's steps or epochs, without a limit.
        device: A torch device, or ``auto``.
        positive: For two classes, of which one precision, recall and average precision speak; None: the rarer.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        report: Told of the progress 0..1 and of what is being done; True from it ends the training early, keeping what is there.

    Raises:
        DataError: The rows, or their split, cannot serve.
    """
    clock = clock or Clock()
    timings: dict[str, float] = {}
    notes = list(data.notes)
    device = choose_device(device)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    recipe = recipe.updated(threads=torch.get_num_threads())

    with _timed(timings, "split"):
        splits = separate(data, recipe, test_share, notes)
        train, val = splits.train, splits.val
        positive = _positive(train, positive)
        protocol = split.decide(train, val, folds=recipe.folds, holdout=recipe.holdout)
        recipe = recipe.updated(folds=protocol.folds, holdout=protocol.holdout or None)
        parts = _parts(train, protocol, recipe.seed)
        notes += _too_few(train)

    with _timed(timings, "train"):
        reserve = RESERVE + RESERVE_SHARE * (clock.budget or 0)
        recipe, trained = _train(recipe, train, val, parts, clock.deadline(reserve), device, report)
        notes += list(dict.fromkeys(note for one in trained for note in one.notes))
    if len(trained) < len(parts):
        notes.append(f"Training was ended early: {len(trained)} of {len(parts)} folds were trained.")

    if clock.budget is not None and clock.elapsed() < EARLY * clock.budget and recipe.epochs is not None:
        notes.append(
            f"Training ended before the budget, after {recipe.epochs:g} passes over the rows; more were not expected to help "
            "(--set epochs=N allows them)."
        )

    with _timed(timings, "calibrate and decide"):
        report(1.0, "calibrating")
        members = [Member(one.network.eval(), one.prepared) for one in trained]
        judged = val if val is not None else train
        held_rows = [np.arange(len(val)) if val is not None else held for _, held in parts[: len(trained)]]
        model = Model(recipe, members, None, _prior(train), train.target, positive, device, versions())
        validation, out_of_fold = _judge(model, judged, held_rows, trained, recipe)

    with _timed(timings, "test"):
        report(1.0, "judging the test rows")
        test = None if splits.test is None else scores(model, splits.test, recipe.seed)
    result = Result(
        kind=train.kind,
        task=train.task,
        name=train.name,
        n_train=len(train),
        n_test=0 if splits.test is None else len(splits.test),
        classes=list(train.classes),
        class_counts={} if train.class_counts is None else dict(zip(train.classes, train.class_counts.tolist(), strict=True)),
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


def separate(data: Splits, recipe: Recipe, test_share: float, notes: list[str]) -> Splits:
    """Training, validation and test rows; near-duplicates form groups where no groups were given, so that they do not straddle."""
    train, val, test = data.train, data.val, data.test
    if train.group is None and (val is None or test is None):
        code = duplicates.duplicate_groups(train)
        repeated = len(code) - len(np.unique(code))
        if repeated:
            train = replace(train, group=code)
            notes.append(
                f"Rows that copy another row, or nearly so: {repeated}; each is kept on one side of every split with its original."
            )
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share:
        held = split.hold_out(train, test_share, recipe.seed, "test")
        train, test = train.take(~held), train.take(held)
    val = None if val is None else val.aligned(train.classes)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(f"Class {absent!r} has no row left to train on after the split; give more rows of it, or test rows with --test.")
    return Splits(train, val, test, data.notes)


def scores(model: Model, data: Dataset, seed: int = 0) -> Scores:
    """Scores with intervals of a model on labelled rows it has never seen."""
    outputs = model.outputs(data)
    assert data.y is not None
    if data.task == "regression":
        return score_regression(data.y, outputs[:, 0], weight=data.weight, group=data.group, seed=seed)
    return _class_scores(model, data, outputs, seed)


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


def _parts(train: Dataset, protocol: split.Protocol, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, held-out rows) of each network; the only network trains on all rows where validation rows were given."""
    everything = np.arange(len(train))
    if protocol.folds:
        fold = split.fold_of(train, protocol.folds, seed)
        return [(everything[fold != place], everything[fold == place]) for place in range(protocol.folds) if (fold == place).any()]
    if not protocol.holdout:
        return [(everything, everything[:0])]
    held = split.hold_out(train, protocol.holdout, seed)
    return [(everything[~held], everything[held])]


def _train(
    recipe: Recipe,
    train: Dataset,
    val: Dataset | None,
    parts: list[tuple[np.ndarray, np.ndarray]],
    deadline: float | None,
    device: str,
    report: Report,
) -> tuple[Recipe, list[Trained]]:
    """Train a network per part; the first one's measurement lays out the steps of all."""
    trained: list[Trained] = []
    replayed = recipe.relaid
    stopped = False
    for fold, (fit, held) in enumerate(parts):
        bench = Bench(recipe, train.take(fit), val if val is not None else train.take(held), fold, device)
        if fold == 0:
            recipe = bench.recipe = bench.lay_out(deadline, len(parts))
        what = "training" if len(parts) == 1 else f"training fold {fold + 1} of {len(parts)}"

        def tell(progress: float, fold: int = fold, what: str = what) -> bool:
            nonlocal stopped
            stopped = report((fold + progress) / len(parts), what) or stopped
            return stopped

        now = time.monotonic()
        mine = None if deadline is None else now + max(deadline - now, 0.0) / (len(parts) - fold)
        trained.append(bench.run(None if replayed else mine, replayed[fold] if fold < len(replayed) else (), tell))
        if stopped:
            break
    changes = tuple(tuple(one.changes) for one in trained)
    return recipe.updated(relaid=changes if any(changes) else ()), trained


def _judge(
    model: Model, judged: Dataset, held_rows: list[np.ndarray], trained: list[Trained], recipe: Recipe
) -> tuple[Scores | None, np.ndarray | None]:
    """Calibrate and decide on held-out rows, complete the model, and score those rows."""
    if not any(len(rows) for rows in held_rows):
        raise DataError(f"{judged.name} leaves no row to calibrate and decide on; give more rows.")
    outputs = np.concatenate(
        [member.logits(judged.take(rows), model.device) for member, rows in zip(model.members, held_rows, strict=True)]
    )
    rows = np.concatenate(held_rows)
    here = judged.take(rows)
    out_of_fold = np.full((len(judged), outputs.shape[1]), np.nan)
    assert here.y is not None
    if here.task == "regression":
        place = np.concatenate([np.full(len(rows), place) for place, rows in enumerate(held_rows)])
        values = np.concatenate([model.members[i].prepared.values(outputs[place == i]) for i in range(len(held_rows))])
        out_of_fold[rows] = values
        return score_regression(here.y, values[:, 0], weight=here.weight, group=here.group, seed=recipe.seed), out_of_fold
    member = np.concatenate([np.full(len(rows), place) for place, rows in enumerate(held_rows)])
    held = HeldOut(outputs, here.codes, here.weights, member)
    chains: list[Chain] = judging.calibrate(recipe, held, [one.prior_factor for one in trained])
    for one, chain in zip(model.members, chains, strict=True):
        one.calibrations = chain
    model.decision = judging.decide(recipe, held, chains, model.prior, judged.classes, model.positive)
    proba = judging.held_probabilities(held, chains)
    out_of_fold[rows] = proba
    return _class_scores(model, here, proba, recipe.seed), out_of_fold


def _class_scores(model: Model, data: Dataset, proba: np.ndarray, seed: int) -> Scores:
    code = None if model.positive is None else data.classes.index(model.positive)
    return score(data.codes, proba, model.labels(proba), data.classes, weight=data.weight, group=data.group, positive=code, seed=seed)


def _positive(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures speak of.

    Raises:
        DataError: No such class.
    """
    if train.task == "regression":
        return None
    if positive is not None and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; the classes are {', '.join(train.classes)}.")
    counts = train.class_counts
    assert counts is not None
    return positive if positive is not None or train.n_classes > 2 else train.classes[int(counts.argmin())]


def _prior(train: Dataset) -> np.ndarray:
    if train.task == "regression":
        return np.zeros(0)
    weighted = np.bincount(train.codes, weights=train.weights, minlength=train.n_classes)
    prior: np.ndarray = weighted / weighted.sum()
    return prior


def _too_few(train: Dataset) -> list[str]:
    counts = train.class_counts
    return (
        [
            f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
            for label, count in zip(train.classes, [] if counts is None else counts, strict=True)
            if count < 3
        ]
        if counts is not None
        else []
    )


class _timed:
    """Adds the seconds of a block to `timings` under a name."""

    def __init__(self, timings: dict[str, float], name: str) -> None:
        self.timings, self.name = timings, name

    def __enter__(self) -> None:
        self.start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.timings[self.name] = round(time.monotonic() - self.start, 3)
