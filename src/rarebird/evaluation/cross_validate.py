"""Train a recipe on parts of the training rows and judge it on the others: what search and comparison decide by.

Calibration and decision are part of what is judged, so they too never see the rows that judge them: for the rows of one part they are
fitted on the held-out rows of all others (of one hold-out, on its other half). As in all cross-fitting, the networks of those others may
have learned from them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird import judging, rng
from rarebird.artifact import probabilities
from rarebird.checks import DataError
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.split import fold_of
from rarebird.judging import HeldOut
from rarebird.member import Trained
from rarebird.metrics import names
from rarebird.networks import Parts, Report, train_networks
from rarebird.recipe import Recipe
from rarebird.training.inference import logits


@dataclass(frozen=True)
class Judged:
    """What held-out rows say of a recipe.

    Attributes:
        rows: ``(n,)`` positions of the rows that were held out.
        part: ``(n,)`` which part held each out.
        outputs: ``(n, n_classes)`` calibrated probabilities under the natural prior, or ``(n, 1)`` values in the target's own unit.
        labels: ``(n,)`` decided codes; the values themselves for regression.
        training: Mean training loss at the end, over the networks.
        seconds: Wall-clock time of the training and the judging.
        recipe: The recipe with everything laid out.
    """

    rows: np.ndarray
    part: np.ndarray
    outputs: np.ndarray
    labels: np.ndarray
    training: float
    seconds: float
    recipe: Recipe

    def value(self, metric: str, train: Dataset, positive: str | None = None, part: int | None = None) -> float:
        """A metric on all held-out rows, or on those of one part; NaN where it is undefined."""
        mine = np.ones(len(self.rows), dtype=bool) if part is None else self.part == part
        here = train.take(self.rows[mine])
        y = here.y if here.task == "regression" else here.codes
        assert y is not None
        return names.value(metric, y, self.outputs[mine], self.labels[mine], here.weights, train.classes, positive)

    def values(self, metric: str, train: Dataset, positive: str | None = None) -> np.ndarray:
        """The metric of each part that has rows."""
        return np.array([self.value(metric, train, positive, part) for part in np.unique(self.part)])


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

    Raises:
        DataError: The recipe and the rows do not fit, or the training diverged.
    """
    start = time.monotonic()
    recipe, trained, _ = train_networks(recipe, Splits(train), parts, deadline, device, report)
    held_out = [part_of(one, train, held, device) for one, (_, held) in zip(trained, parts, strict=False)]
    return replace(assess(recipe, train, held_out, positive), seconds=time.monotonic() - start)


def part_of(trained: Trained, train: Dataset, held: np.ndarray, device: str) -> Part:
    """What a trained network gives for the rows that it has not seen, at the positions `held`."""
    outputs = logits(trained.network, trained.prepared.inputs(train.take(held)), device)
    if train.task == "regression":
        outputs = trained.prepared.values(outputs)
    loss = trained.history[-1]["train_loss"] if trained.history else float("nan")
    return Part(held, outputs, trained.prior_factor, loss)


def assess(recipe: Recipe, train: Dataset, parts: Sequence[Part], positive: str | None = None, val: Dataset | None = None) -> Judged:
    """Calibrate and decide each part's rows by the others', once all networks are trained; `seconds` are left at 0.

    Raises:
        DataError: No row was held out.
    """
    rows = np.concatenate([part.rows for part in parts])
    if not len(rows):
        raise DataError(f"{train.name} leaves no row to judge by.")
    place = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    outputs = np.concatenate([part.outputs for part in parts])
    if train.task == "regression":
        labels = outputs[:, 0]
    else:
        here = (train if val is None else val).take(rows)
        held = HeldOut(outputs, here.codes, here.weights, place)
        outputs, labels = _decided(recipe, held, here, [part.prior_factor for part in parts], train, positive)
    losses = [part.loss for part in parts if np.isfinite(part.loss)]
    return Judged(rows, place, outputs, labels, float(np.mean(losses)) if losses else float("nan"), 0.0, recipe)


def _decided(
    recipe: Recipe, held: HeldOut, here: Dataset, factors: Sequence[np.ndarray | None], train: Dataset, positive: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of held-out rows, from calibrations and decisions that were fitted on the others of them."""
    judges = held.member if len(factors) > 1 else _halves(here, recipe.seed)
    prior = train.weighted_counts / train.weighted_counts.sum()
    outputs, labels = np.empty_like(held.logits), np.empty(len(held.y), dtype=np.int64)
    for judge_ in np.unique(judges):
        mine = judges == judge_
        others = HeldOut(held.logits[~mine], held.y[~mine], held.weight[~mine], held.member[~mine])
        chains = judging.calibrate(recipe, others, factors)
        _, decision = judging.decide(recipe, others, chains, prior, train.classes, positive)
        for place, chain in enumerate(chains):
            own = mine & (held.member == place)
            if own.any():
                outputs[own] = probabilities(held.logits[own], chain)
        labels[mine] = decision(outputs[mine])
    return outputs, labels


def _halves(here: Dataset, seed: int) -> np.ndarray:
    """``(n,)`` 0 or 1: two stratified halves of a hold-out; a row that no half may lack judges with the first."""
    half: np.ndarray = np.maximum(fold_of(here, 2, int(rng.stream(seed, "halves").integers(2**31))), 0)
    return half
