"""A candidate of a search: one recipe, trained part by part, with its held-out predictions. Any executor can run its
training.

A candidate trains the network of the first part, then of half of the parts, then of all parts: the rungs of successive
halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
2016). Nothing is trained twice: the next rung keeps the networks of the rung before.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rarebird.automl.criterion import Criterion, loss
from rarebird.core.checks import LateError
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.evaluation import held_outputs
from rarebird.evaluation.complete import crossing_parts
from rarebird.evaluation.held_out import cross_predict
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.experiment.row_parts import held_rows, row_parts
from rarebird.experiment.setup import Setup
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, cross_fit, parts_of
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import warm_up

# Rows whose prediction is measured, for a recipe with leave-one-out outputs.
MEASURED_ROWS = 16
TOO_LATE = "there was too little time for it"

# `default` is the default recipe, which may use all remaining time; `portfolio` is another recipe of the portfolio;
# `synthetic` is the best of these with rows of a generator; `searched` was proposed by the search around a leader;
# `repeat` is one of these with another seed. Of those that leave the race, the report lists these; the log has the many
# searched recipes and the repeats, too.
Role = Literal["default", "portfolio", "synthetic", "searched", "repeat"]
LISTED = ("default", "portfolio", "synthetic")


def _silent(name: str, what: str) -> bool:
    return False


@dataclass(frozen=True)
class TrainingContext:
    """Everything that all candidates of a search share.

    Attributes:
        setup: Split rows and protocol; its device may be ``auto``: each candidate then chooses where it trains.
        criterion: Selection minimizes it.
        seed: Decides the splits.
        threads: CPU threads of a candidate; None: torch's present number.
        progress: Called with a candidate's name and a description; if it returns True, the training ends.
        parts: ``(n,)`` the part of each scored row; calibrations for the rows of a part are fitted on all other parts.
        compared: ``(n,)`` bool, the rows that every recipe holds out, on which candidates are compared, and calibrated
            for it; a recipe with leave-one-out outputs holds out more.
    """

    setup: Setup
    criterion: Criterion
    seed: int
    threads: int | None = None
    progress: Callable[[str, str], bool] = _silent
    parts: np.ndarray = field(init=False)
    compared: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", row_parts(self.setup, self.seed))
        object.__setattr__(self, "compared", held_rows(self.setup, self.seed))


@dataclass(frozen=True)
class TrialSpec:
    """One candidate's training.

    Attributes:
        name: The candidate's name.
        recipe: What to train.
        seconds: How long it may take from its start; None: no limit, and nothing is measured, so that it can be
            repeated exactly.
        deadline: When it must have ended, on the scale of this machine's `time.monotonic`; None on a cluster, whose
            machines have different clocks.
        enough: Smallest share of the recipe's own steps that must fit into the time; if less fits, it does not start.
        yields: Whether it yields its losses after each rung except the last, so that it may be ended there.
        is_reference: Whether it is a reference and not a network.
        most: How many of its parts are trained at most, so that it has the held-out rows of the others; None: all.
    """

    name: str
    recipe: Recipe
    seconds: float | None = None
    deadline: float | None = None
    enough: float = 0.0
    yields: bool = True
    is_reference: bool = False
    most: int | None = None


@dataclass(frozen=True)
class PartialResult:
    """A candidate's held-out losses after some of its parts.

    Attributes:
        losses: ``(n,)`` each row's loss under the criterion; NaN for rows that were not held out yet.
        parts: The number of parts that are trained, and of all parts.
    """

    losses: np.ndarray
    parts: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One recipe's networks and their held-out predictions.

    Attributes:
        name: Its name in reports; repeats of a recipe with another seed have the same name.
        models: Its networks; empty after `released`.
        predicted: ``(n, n_outputs)`` held-out probabilities or values; the calibration of a row is fitted without it.
        losses: ``(n,)`` each row's loss under the criterion.
        seconds: Time of training and prediction.
        per_row: Seconds to predict one row with all networks.
        is_reference: Whether it is a reference and not a network.
        role: Why it was trained.
        parent: For a searched recipe, the name of the candidate that it was searched around; else None.
        settings: For a searched recipe, the values that the search chose.
        held: Raw outputs for the rows that every recipe holds out, from which `losses_among` calibrates again; None:
            not kept.
    """

    name: str
    models: CrossFit
    predicted: np.ndarray
    losses: np.ndarray
    seconds: float
    per_row: float
    is_reference: bool = False
    role: Role = "portfolio"
    parent: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    held: HeldOut | None = None

    @property
    def loss(self) -> float:
        """The criterion on all rows that were held out."""
        return loss(self.losses)

    @property
    def rows(self) -> np.ndarray:
        """``(n,)`` bool: the rows that were held out."""
        known: np.ndarray = np.isfinite(self.losses)
        return known

    def released(self) -> Candidate:
        """The candidate without its networks; its held-out predictions stay."""
        return replace(self, models=CrossFit(self.models.recipe), per_row=0.0)


def train_candidate(context: TrainingContext, spec: TrialSpec) -> Generator[PartialResult, None, Candidate]:
    """Train a candidate on all parts; yield its losses after each rung, if the spec asks for it.

    Raises:
        DataError: There is too little time, the training diverged, or the recipe does not fit these rows.
    """
    start = time.monotonic()
    setup = replace(context.setup, device=choose_device(context.setup.device))
    context = replace(context, setup=setup)
    limits = (None if spec.seconds is None else start + spec.seconds, spec.deadline)
    deadline = min((limit for limit in limits if limit is not None), default=None)
    compute = Compute(setup.device, deadline, lambda share, what: context.progress(spec.name, what))
    with threads(context.threads):
        warm_up()
        parts = setup.parts(spec.recipe.seed if setup.protocol.folds else context.seed)
        parts = parts_of(spec.recipe, setup.splits, parts)
        rungs = rung_ends(min(len(parts), spec.most or len(parts)))[:-1] if spec.yields else []
        models = None
        for models in cross_fit(spec.recipe, setup.splits, parts, compute, enough=spec.enough, most=spec.most):
            done = len(models.trained)
            if done in rungs and not (models.ended_by_user or models.ended_by_clock):
                yield PartialResult(_assess(context, spec, models, start).losses, (done, len(parts)))
        if models is None:
            raise LateError(TOO_LATE)
        return _assess(context, spec, models, start)


def train_candidate_elsewhere(context: TrainingContext, spec: TrialSpec) -> Generator[PartialResult, None, bytes]:
    """The same in another process; the candidate is returned as bytes, because torch would otherwise leave its tensors
    in shared memory."""
    candidate = yield from train_candidate(context, spec)
    for one in candidate.models.trained:
        one.network.to("cpu")
    return pickle.dumps(candidate)


def rung_ends(parts: int) -> list[int]:
    """The number of trained parts at the end of each rung: one part, half of the parts, all parts."""
    return sorted({1, (parts + 1) // 2, parts})


def losses_among(context: TrainingContext, candidate: Candidate, known: np.ndarray) -> np.ndarray:
    """``(n,)`` losses as if no more than the rows `known` ``(n,)`` were held out: calibrated on these alone, as a
    candidate that holds out no others yet is. NaN for all other rows."""
    if candidate.held is None or not candidate.models.trained:
        return np.where(known, candidate.losses, np.nan)
    return context.criterion.rows(
        _calibrated(context, candidate.models, candidate.held.where(known[candidate.held.rows]))
    )


def _assess(context: TrainingContext, spec: TrialSpec, models: CrossFit, begun: float) -> Candidate:
    """A candidate with the held-out predictions and losses of the networks trained so far."""
    scored, start = context.setup.scored_rows, time.monotonic()
    held = held_outputs.predict(models, scored, context.setup.device)
    # Leave-one-out outputs of other rows would calibrate better than the few of a hold-out can, which looks like a
    # better recipe (ten long-tailed classes, 600 held-out rows: by .024 of the criterion).
    held = held.where(context.compared[held.rows])
    predicted = _calibrated(context, models, held)
    now = time.monotonic()
    # A held-out row is predicted by one network, a new row by all networks.
    per_row = (now - start) / max(len(held.rows), 1) * len(models.trained)
    if any(one.own_outputs is not None for one in models.trained):
        per_row += _seconds_per_row(models, scored, context.setup.device)  # leave-one-out outputs took no prediction
    losses = context.criterion.rows(predicted)
    return Candidate(spec.name, models, predicted, losses, now - begun, per_row, spec.is_reference, held=held)


def _calibrated(context: TrainingContext, models: CrossFit, held: HeldOut) -> np.ndarray:
    """``(n, n_outputs)`` predictions of scored rows, each row's calibrated without it; NaN where none was held out."""
    scored = context.setup.scored_rows
    predicted = np.full((len(scored), held.outputs.shape[1]), np.nan)
    if scored.task == "regression":
        predicted[held.rows] = held.outputs
    else:
        factors, known = held_outputs.prior_factors(models), np.zeros(len(scored), dtype=bool)
        known[held.rows] = True
        # After the first rung all held-out rows are in one part, which is halved.
        parts = crossing_parts(scored, known, context.parts, context.seed)[held.rows]
        predicted[held.rows] = cross_predict(models.recipe, held, factors, parts).outputs
    return predicted


def _seconds_per_row(models: CrossFit, rows: Dataset, device: str) -> float:
    """Seconds to predict one row with all networks: measured on a few rows."""
    few = rows.take(np.arange(min(len(rows), MEASURED_ROWS)))
    start = time.monotonic()
    for member in held_outputs.members_of(models):
        member.logits(few, device)
    return (time.monotonic() - start) / len(few)
