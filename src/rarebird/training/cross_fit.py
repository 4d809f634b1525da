"""Train the networks that a protocol asks for, one for each part of the training rows, within one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.recipe.recipe import Recipe
from rarebird.training.network_trainer import Bench, Trained
from rarebird.training.reference_trainer import ReferenceBench

# Seconds that the intervals of a figure take, for each row and class.
SCORING = 5e-6
# Methods that look at scores while they train, and the share of its training rows that a network then gives up for
# them.
WATCHING = (("regularization", "early_stopping"), ("schedule", "reduce_on_plateau"))
WATCHED_SHARE = 0.1

Parts = Sequence[tuple[np.ndarray, np.ndarray]]
Report = Callable[[float, str], bool]


@dataclass
class Team:
    """The networks of one recipe, one per part of the training rows.

    Attributes:
        recipe: As it was laid out.
        trained: The networks.
        held_rows: Per network, the positions of the rows that it has never seen, in the rows that judge.
        weight: Of the team among the others.
        ended_by_user: Whether the user ended the training before all parts had a network.
    """

    recipe: Recipe
    trained: list[Trained]
    held_rows: list[np.ndarray]
    weight: float = 1.0
    ended_by_user: bool = False


def train_team(
    recipe: Recipe,
    splits: Splits,
    parts: Parts,
    deadline: float | None,
    device: str,
    report: Report,
    weight: float = 1.0,
    enough: float = 0.0,
) -> Team:
    """Train a network per part; arguments as in `train_networks`."""
    recipe, trained, stopped = train_networks(recipe, splits, parts, deadline, device, report, enough=enough)
    return Team(recipe, trained, held_rows(splits, parts[: len(trained)]), weight, stopped)


def held_rows(splits: Splits, parts: Parts) -> list[np.ndarray]:
    """Per part, the positions of the rows that its network never sees, in the rows that judge: all given validation
    rows, or its own."""
    return [np.arange(len(splits.val)) if splits.val is not None else held for _, held in parts]


def train_networks(
    recipe: Recipe,
    splits: Splits,
    parts: Parts,
    deadline: float | None,
    device: str,
    report: Report,
    *,
    first: int = 0,
    sharing: int | None = None,
    enough: float = 0.0,
) -> tuple[Recipe, list[Trained], bool]:
    """Train a network per part; the first one's measurement lays out the steps of all.

    Args:
        recipe: What to train; what it leaves open is laid out.
        splits: Where the rows are; validation rows, where there are any, judge in place of a part's held-out ones.
        parts: Per network, the positions of the rows that it learns from and of those that are held out.
        deadline: When everything should be predicted and scored, on the scale of `time.monotonic`; None: no limit.
        device: A torch device.
        report: Told of the progress 0..1 and of what is being done; True from it ends the training early.
        first: The number of the first part among all; above 0 the recipe is laid out already, by those before.
        sharing: How many trainings share the time, where these parts are not all of them.
        enough: Share of the recipe's own course for which there must be time; with less nothing is trained.

    Returns:
        The recipe as it was laid out, the networks, and whether `report` ended the training.
    """
    turns = train_in_turn(recipe, splits, parts, deadline, device, report, first=first, sharing=sharing, enough=enough)
    *_, last = (recipe, [], False), *turns
    return last


def train_in_turn(
    recipe: Recipe,
    splits: Splits,
    parts: Parts,
    deadline: float | None,
    device: str,
    report: Report,
    *,
    first: int = 0,
    sharing: int | None = None,
    enough: float = 0.0,
) -> Iterator[tuple[Recipe, list[Trained], bool]]:
    """The same, with what `train_networks` would return so far after each network, so that the rest need not be
    trained."""
    trained: list[Trained] = []
    train, val = splits.train, splits.val
    # A run that was ended early has changes for the networks that it trained; its replay trains those.
    sharing = len(parts) if sharing is None else sharing
    replayed = recipe.relaid or ((),) * len(parts)
    stopped = False
    for fold, ((fit, held), changes) in enumerate(zip(parts, replayed, strict=False)):
        bench = bench_of(recipe, train, fit, val if val is not None else train.take(held), first + fold, device)
        if first + fold == 0:
            deadline = None if deadline is None else less_judging(deadline, bench, splits, parts)
            own = bench.own_steps
            recipe = bench.recipe = bench.lay_out(deadline, sharing)
            if (recipe.steps or 0) < enough * own:
                yield recipe, [], False
                return
        what = "training" if len(parts) == 1 else f"training fold {fold + 1} of {len(parts)}"

        def tell(progress: float, fold: int = fold, what: str = what) -> bool:
            nonlocal stopped
            stopped = report((fold + progress) / len(parts), what) or stopped
            return stopped

        now = time.monotonic()
        mine = None if deadline is None else now + max(deadline - now, 0.0) / (sharing - fold)
        trained.append(bench.run(mine, changes, tell))
        del bench  # its rows, before those of the next fold are prepared
        relaid = tuple(tuple(one.changes) for one in trained)
        yield recipe.updated(relaid=relaid if any(relaid) or len(relaid) < len(parts) else ()), trained, stopped
        if stopped:
            break


def bench_of(
    recipe: Recipe, train: Dataset, fit: np.ndarray, judging: Dataset | None, fold: int, device: str
) -> Bench | ReferenceBench:
    """Where one network, or the reference in its place, is trained.

    Args:
        recipe: What to train.
        train: Training rows.
        fit: Positions of those that it learns from.
        judging: Rows that judge it, for the learning curve where nothing decides by that; None: no curve.
        fold: The number of the part.
        device: A torch device.
    """
    if recipe.reference is not None:
        return ReferenceBench(recipe, train.take(fit), fold)
    fit, watched = watched_apart(recipe, train, fit)
    if len(watched):
        return Bench(recipe, train.take(fit), train.take(watched), fold, device)
    return Bench(recipe, train.take(fit), train.take(fit[:0]) if judging is None else judging, fold, device)


def watched_apart(recipe: Recipe, train: Dataset, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions to learn from, and those of training rows that are watched meanwhile: none, where nothing in the recipe
    watches.

    What decides by held-out scores while a network trains has seen these rows; they can judge it no more than those
    that it learned from.
    """
    if not any((slot, type(method).name) in WATCHING for slot, method in recipe.methods()):
        return fit, fit[:0]
    held = split.hold_out(train.take(fit), WATCHED_SHARE, recipe.seed, "watched")
    return fit[~held], fit[held]


def less_judging(deadline: float, bench: Bench | ReferenceBench, splits: Splits, parts: Parts) -> float:
    """The deadline less the time that the prediction and scoring of held-out and test rows will take, and at most half
    of what is left."""
    held = sum(len(held) for _, held in parts) if splits.val is None else len(splits.val)
    test = 0 if splits.test is None else len(splits.test)
    seconds = bench.seconds_per_row() * (held + len(parts) * test) + SCORING * splits.train.n_classes * (held + test)
    return deadline - min(seconds, max(deadline - time.monotonic(), 0.0) / 2)
