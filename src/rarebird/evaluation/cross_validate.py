"""Train a recipe on parts of the training rows and judge it on the others: what search and comparison decide by.

Calibration and decision are part of what is judged, so they too never see the rows that judge them: for the rows of one
part they are fitted on the held-out rows of all others (of one hold-out, on its other half). As in all cross-fitting,
the networks of those others may have learned from them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.split import halves
from rarebird.evaluation import held_out as judging
from rarebird.evaluation.held_out import HeldOut
from rarebird.metrics import names
from rarebird.model.chain import probabilities
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts, Report, train_networks
from rarebird.training.inference import logits
from rarebird.training.network_trainer import Trained


@dataclass(frozen=True)
class Predicted:
    """What the networks of all parts say of rows.

    Attributes:
        rows: ``(n,)`` positions of the rows.
        part: ``(n,)`` which part's network speaks of each.
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior, or ``(n, 1)`` values in the
            target's own unit.
        labels: ``(n,)`` decided codes; the values themselves for regression.
    """

    rows: np.ndarray
    part: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray

    def value(self, metric: str, train: Dataset, positive: str | None = None, part: int | None = None) -> float:
        """A metric on all of the rows, or on those of one part; NaN where it is undefined."""
        mine = np.ones(len(self.rows), dtype=bool) if part is None else self.part == part
        here = train.take(self.rows[mine])
        y = here.y if here.task == "regression" else here.codes
        assert y is not None
        return names.value(metric, y, self.outputs[mine], self.labels[mine], here.weights, train.classes, positive)

    def values(self, metric: str, train: Dataset, positive: str | None = None) -> np.ndarray:
        """The metric of each part that has rows."""
        return np.array([self.value(metric, train, positive, part) for part in np.unique(self.part)])


@dataclass(frozen=True)
class Judged(Predicted):
    """What held-out rows, each by the network that never saw it, say of a recipe.

    Attributes:
        training: Mean training loss at the end, over the networks.
        seconds: Wall-clock time of the training and the judging.
        recipe: The recipe with everything laid out.
        learned: The same figures of the rows that each network learned from, of the classes that its held-out rows
            show, where they were asked for: what it knows by heart.
    """

    training: float
    seconds: float
    recipe: Recipe
    learned: Predicted | None = None


@dataclass(frozen=True)
class Part:
    """What a network gives for the rows of the part that it never saw.

    Attributes:
        rows: ``(n,)`` positions of the rows that were held out.
        outputs: ``(n, n_classes)`` raw logits, or ``(n, 1)`` values in the target's own unit.
        prior_factor: By what the network's training multiplied the natural prior.
        loss: Training loss at the end; NaN where there is none.
    """

    rows: np.ndarray
    outputs: np.ndarray
    prior_factor: np.ndarray | None
    loss: float


def judge(
    recipe: Recipe,
    train: Dataset,
    parts: Parts,
    *,
    positive: str | None = None,
    deadline: float | None = None,
    device: str = "cpu",
    report: Report = lambda progress, what: False,
    learned: bool = False,
) -> Judged:
    """Train a network per part and judge it on the part's held-out rows.

    Args:
        recipe: What to train.
        train: Training rows; no test row is among them.
        parts: Per network, the positions that it learns from and those that judge it.
        positive: Of two classes, which one the decision's metric speaks of.
        deadline: When all should be trained, on the scale of `time.monotonic`; None: the recipe's own steps or epochs.
        device: A torch device.
        report: Told of the progress; True from it ends the training early.
        learned: Whether each network is also asked about the rows that it learned from.

    Raises:
        DataError: The recipe and the rows do not fit, or the training diverged.
    """
    start = time.monotonic()
    if not any(len(held) for _, held in parts):
        raise DataError(f"{train.name} leaves no row to judge by.")
    recipe, trained, _ = train_networks(recipe, Splits(train), parts, deadline, device, report)
    pairs = list(zip(trained, parts, strict=False))
    held_out = [part_of(one, train, held, device) for one, (_, held) in pairs]
    seen = (
        [part_of(one, train, _of_the_same_classes(train, fit, held), device) for one, (fit, held) in pairs]
        if learned
        else None
    )
    return replace(assess(recipe, train, held_out, positive, seen), seconds=time.monotonic() - start)


def part_of(trained: Trained, train: Dataset, rows: np.ndarray, device: str) -> Part:
    """What a trained network gives for the rows at given positions."""
    outputs = logits(trained.network, trained.prepared.inputs(train.take(rows)), device)
    if train.task == "regression":
        outputs = trained.prepared.values(outputs)
    loss = trained.history[-1]["train_loss"] if trained.history else float("nan")
    return Part(rows, outputs, trained.prior_factor, loss)


def assess(
    recipe: Recipe,
    train: Dataset,
    parts: Sequence[Part],
    positive: str | None = None,
    seen: Sequence[Part] | None = None,
    val: Dataset | None = None,
) -> Judged:
    """Calibrate and decide each part's rows by the others', once all networks are trained; `seconds` are left at 0.

    Args:
        recipe: What was trained.
        train: Training rows.
        parts: Per network, what it gives for the rows that it never saw.
        positive: Of two classes, which one the decision's metric speaks of.
        seen: Per network, what it gives for rows that it learned from, where these are asked for.
        val: Given validation rows, where the rows of `parts` are theirs.
    """
    held_out = _together(parts)
    learned = None if seen is None else _together(seen)
    if train.task == "classification":
        factors = [part.prior_factor for part in parts]
        judging_rows = train if val is None else val
        held, here = _with_targets(held_out, judging_rows), judging_rows.take(held_out.rows)
        outputs, labels = _decided(recipe, held, here, factors, train, positive)
        held_out = replace(held_out, outputs=outputs, labels=labels)
        if learned is not None:
            outputs, labels = _decided(recipe, held, here, factors, train, positive, _with_targets(learned, train))
            learned = replace(learned, outputs=outputs, labels=labels)
    losses = [part.loss for part in parts if np.isfinite(part.loss)]
    loss = float(np.mean(losses)) if losses else float("nan")
    return Judged(held_out.rows, held_out.part, held_out.outputs, held_out.labels, loss, 0.0, recipe, learned)


def _together(parts: Sequence[Part]) -> Predicted:
    """The parts one after the other; labels mean nothing before a decision."""
    outputs = np.concatenate([part.outputs for part in parts])
    place = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    return Predicted(np.concatenate([part.rows for part in parts]), place, outputs, outputs[:, 0])


def _of_the_same_classes(train: Dataset, fit: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Of the rows learned from, those whose class is held out too: a part may lack a rare class, which would count on
    one side alone."""
    return fit if train.task == "regression" else fit[np.isin(train.codes[fit], train.codes[held])]


def _with_targets(raw: Predicted, train: Dataset) -> HeldOut:
    here = train.take(raw.rows)
    return HeldOut(raw.outputs, here.codes, here.weights, raw.part)


def _decided(
    recipe: Recipe,
    held: HeldOut,
    here: Dataset,
    factors: Sequence[np.ndarray | None],
    train: Dataset,
    positive: str | None,
    seen: HeldOut | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of held-out rows, from calibrations and decisions that were fitted on the others of
    them.

    Given `seen`, those of the rows that each network learned from, under the calibration and decision of that network's
    own held-out rows: what the two figures differ by is what the network knows by heart.
    """
    judges = held.member if len(factors) > 1 else halves(here, recipe.seed)
    prior = train.prior
    asked, turn = (held, judges) if seen is None else (seen, seen.member)
    if seen is not None and len(factors) == 1:
        # Of one hold-out, both halves' decisions serve in turn.
        turn = np.resize(np.unique(judges), len(seen.y))
    outputs, labels = np.empty_like(asked.logits), np.empty(len(asked.y), dtype=np.int64)
    for judge_ in np.unique(judges):
        mine, answered = judges == judge_, turn == judge_
        others = HeldOut(held.logits[~mine], held.y[~mine], held.weight[~mine], held.member[~mine])
        chains = judging.calibrate(recipe, others, factors)
        known = judging.held_probabilities(others, chains)
        _, decision = judging.decide(recipe, known, others.y, others.weight, prior, train.classes, positive)
        for place, chain in enumerate(chains):
            own = answered & (asked.member == place)
            if own.any():
                outputs[own] = probabilities(asked.logits[own], chain)
        labels[answered] = decision(outputs[answered])
    return outputs, labels
