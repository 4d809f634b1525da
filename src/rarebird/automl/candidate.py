"""A candidate of a search: one recipe, trained part by part, with its held-out predictions. It runs wherever an
executor is.

A candidate trains on the first part of the rows, then on half of the parts, then on all: the rungs of successive
halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
2016). Nothing is trained twice: the networks of a rung stay for the next.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rarebird.automl.criterion import Criterion, loss
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.data.split import fold_of, halves
from rarebird.evaluation import held_outputs
from rarebird.evaluation.held_out import cross_predict
from rarebird.experiment.setup import Setup
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, cross_fit
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import warm_up

TOO_LATE = "there was too little time for it"

# `default` is the default recipe, which gets whatever time there is; `portfolio` one of the other prepared recipes;
# `searched` was proposed around a leader; `repeat` is one of these under another seed.
Role = Literal["default", "portfolio", "searched", "repeat"]


def _silent(name: str, what: str) -> bool:
    return False


@dataclass(frozen=True)
class TrainingContext:
    """What all candidates of a search share.

    Attributes:
        setup: Split rows and protocol; its device may be ``auto``, for the one that a candidate finds where it trains.
        criterion: What selection minimizes.
        seed: Decides the splits.
        threads: CPU threads of a candidate; None: as many as there are.
        progress: Told of a candidate's name and of what is being done; True from it ends the training.
        parts: ``(n,)`` the part of each row that judges: calibrations for its rows are fitted on all other parts.
    """

    setup: Setup
    criterion: Criterion
    seed: int
    threads: int | None = None
    progress: Callable[[str, str], bool] = _silent
    parts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", parts_of(self.setup, self.seed))


@dataclass(frozen=True)
class TrialSpec:
    """One candidate's training.

    Attributes:
        name: The candidate's name.
        recipe: What to train.
        seconds: How long it may take, from where it begins; None: no limit, and nothing is measured, so that it
            repeats.
        deadline: When it must have ended, on the scale of this machine's `time.monotonic`; None on a cluster, whose
            machines' clocks differ.
        enough: Share of its own steps for which there must be time; with less it is not begun.
        yields: Whether it yields its losses after each rung but the last, so that it may be ended.
        is_reference: Whether it is a reference and no network.
    """

    name: str
    recipe: Recipe
    seconds: float | None = None
    deadline: float | None = None
    enough: float = 0.0
    yields: bool = True
    is_reference: bool = False


@dataclass(frozen=True)
class PartialResult:
    """A candidate's held-out losses after some of its parts.

    Attributes:
        losses: ``(n,)`` each row's loss under the criterion; NaN for rows that were not held out yet.
        parts: How many parts are trained, and how many there are.
    """

    losses: np.ndarray
    parts: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One recipe's networks and their held-out predictions.

    Attributes:
        name: Its name in reports; repeats of one recipe under another seed have the same.
        models: Its networks; none once they were released.
        predicted: ``(n, n_outputs)`` held-out probabilities or values, calibrated for each row without that row.
        losses: ``(n,)`` each row's loss under the criterion.
        seconds: Time of training and prediction.
        per_row: Seconds that the prediction of one row takes, with all networks.
        is_reference: Whether it is a reference and no network.
        role: Why it was trained.
        parent: Name of the candidate that it was searched around; None for all others.
        settings: What a search chose for it.
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
    """Train a candidate on all parts.

    Raises:
        DataError: There is no time for it, it diverged, or the recipe cannot be trained on these rows.
    """
    start = time.monotonic()
    setup = replace(context.setup, device=choose_device(context.setup.device))
    context = replace(context, setup=setup)
    ends = [end for end in (None if spec.seconds is None else start + spec.seconds, spec.deadline) if end is not None]
    compute = Compute(setup.device, min(ends, default=None), lambda share, what: context.progress(spec.name, what))
    with threads(context.threads):
        warm_up()
        parts = setup.parts(spec.recipe.seed if setup.protocol.folds else context.seed)
        rungs = rung_ends(len(parts))[:-1] if spec.yields else []
        models = None
        for models in cross_fit(spec.recipe, setup.splits, parts, compute, enough=spec.enough):
            done = len(models.trained)
            if done in rungs and not models.ended_by_user:
                yield PartialResult(_assessed(context, spec, models, start).losses, (done, len(parts)))
        if models is None:
            raise DataError(TOO_LATE)
        return _assessed(context, spec, models, start)


def train_candidate_elsewhere(context: TrainingContext, spec: TrialSpec) -> Generator[PartialResult, None, bytes]:
    """The same for another process, whose candidate comes back in one piece: otherwise torch would leave its tensors
    behind in shared memory."""
    candidate = yield from train_candidate(context, spec)
    for one in candidate.models.trained:
        one.network.to("cpu")
    return pickle.dumps(candidate)


def rung_ends(parts: int) -> list[int]:
    """How many parts are trained at the end of each rung: one part, half of them, all."""
    return sorted({1, (parts + 1) // 2, parts})


def parts_of(setup: Setup, seed: int) -> np.ndarray:
    """``(n,)`` the part of each row that judges: its fold, or one of two halves of a hold-out."""
    rows, folds = setup.judging_rows, setup.protocol.folds
    if folds:
        fold: np.ndarray = np.maximum(fold_of(rows, folds, seed), 0)
        return fold
    held = np.arange(len(rows)) if setup.splits.val is not None else setup.parts(seed)[0][1]
    half = np.zeros(len(rows), dtype=np.int64)
    half[held] = halves(rows.take(held), seed)
    return half


def _assessed(context: TrainingContext, spec: TrialSpec, models: CrossFit, begun: float) -> Candidate:
    """The held-out predictions and losses of the networks so far."""
    judging, start = context.setup.judging_rows, time.monotonic()
    held = held_outputs.predict(models, judging, context.setup.device)
    predicted = np.full((len(judging), held.outputs.shape[1]), np.nan)
    if judging.task == "regression":
        predicted[held.rows] = held.outputs
    else:
        factors = held_outputs.prior_factors(models)
        predicted[held.rows] = cross_predict(models.recipe, held, factors, context.parts[held.rows]).outputs
    now = time.monotonic()
    # Each held-out row was predicted by one network, a new row is predicted by all.
    per_row = (now - start) / max(len(held.rows), 1) * len(models.trained)
    losses = context.criterion.rows(predicted)
    return Candidate(spec.name, models, predicted, losses, now - begun, per_row, spec.is_reference)
