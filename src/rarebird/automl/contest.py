"""What a recipe goes through to be a candidate: networks for the parts, rung by rung, and what its held-out rows say.
It runs wherever an executor takes it.

A candidate trains on the first part of the rows, then on half of the parts, then on all: the rungs of successive
halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
2016). Nothing is trained twice: the networks of a rung stay for the next.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import numpy as np

from rarebird.automl.candidate import Candidate, judged
from rarebird.automl.ensemble_selection import Criterion
from rarebird.core.checks import DataError
from rarebird.data.split import fold_of, halves
from rarebird.experiment.setup import Ground
from rarebird.recipe.recipe import Recipe
from rarebird.training import timing
from rarebird.training.cross_fit import Team, held_rows, train_networks
from rarebird.training.device import choose_device, threads
from rarebird.training.network_trainer import Trained

TOO_LATE = "there was too little time for it"


def _silent(name: str, what: str) -> bool:
    return False


@dataclass(frozen=True)
class Contest:
    """What all candidates share.

    Attributes:
        ground: What the run stands on; its device may be ``auto`` for what a candidate finds where it trains.
        criterion: What selection looks at.
        seed: Of the splits.
        threads: CPU threads of a candidate; None: as many as there are.
        report: Told of a candidate's name and of what is being done; True from it ends the training.
        judges: ``(n,)`` parts of the rows that judge.
    """

    ground: Ground
    criterion: Criterion
    seed: int
    threads: int | None = None
    report: Callable[[str, str], bool] = _silent
    judges: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "judges", judges_of(self.ground, self.seed))


@dataclass(frozen=True)
class Heat:
    """One candidate's time in the contest.

    Attributes:
        name: What it is called.
        recipe: What to train.
        seconds: For how long at most, from where it begins; None: no limit, and nothing is measured, so that it
            repeats.
        deadline: And until when, on the scale of this machine's `time.monotonic`; None on a cluster, whose machines'
            clocks differ.
        enough: Share of its own course for which there must be time; with less it is not begun.
        tells: Whether its losses so far are told after each rung but the last, so that it may be ended.
        is_reference: Whether it is no network.
    """

    name: str
    recipe: Recipe
    seconds: float | None = None
    deadline: float | None = None
    enough: float = 0.0
    tells: bool = True
    is_reference: bool = False


@dataclass(frozen=True)
class SoFar:
    """What a candidate's held-out rows say before it is through.

    Attributes:
        losses: ``(n,)`` what each row adds to the criterion; NaN for rows that were not held out yet.
        parts: How many parts have a network, and of how many.
    """

    losses: np.ndarray
    parts: tuple[int, int]


def compete(contest: Contest, heat: Heat) -> Generator[SoFar, None, Candidate]:
    """Train a candidate on all parts.

    Raises:
        DataError: There is no time for it, it diverged, or these rows cannot serve it.
    """
    start = time.monotonic()
    device = choose_device(contest.ground.device)
    ground = replace(contest.ground, device=device)
    ends = [end for end in (None if heat.seconds is None else start + heat.seconds, heat.deadline) if end is not None]
    with threads(contest.threads):
        timing.warm_up()
        parts = ground.parts(heat.recipe.seed if ground.protocol.folds else contest.seed)
        team = Team(heat.recipe, [], [])
        for low, high in rungs(len(parts)):
            laid, trained, stopped = train_networks(
                team.recipe,
                ground.splits,
                parts[low:high],
                min(ends) if ends else None,
                device,
                lambda progress, what: contest.report(heat.name, what),
                first=low,
                sharing=len(parts) - low,
                enough=heat.enough,
            )
            if not trained:
                raise DataError(TOO_LATE)
            team = _joined(team, laid, trained, held_rows(ground.splits, parts[low:high]), stopped)
            if stopped:
                break
            if high < len(parts) and heat.tells:
                so_far = judged(heat.name, team, ground, contest.criterion, contest.judges, start, heat.is_reference)
                yield SoFar(so_far.losses, (high, len(parts)))
        return judged(heat.name, _recorded(team), ground, contest.criterion, contest.judges, start, heat.is_reference)


def compete_elsewhere(contest: Contest, heat: Heat) -> Generator[SoFar, None, bytes]:
    """The same for another process, whose candidate comes back in one piece: torch would else leave its tensors behind
    in shared memory."""
    candidate = yield from compete(contest, heat)
    for one in candidate.team.trained:
        one.network.to("cpu")
    return pickle.dumps(candidate)


def rungs(parts: int) -> list[tuple[int, int]]:
    """First and last part of each rung: one part, half of them, all."""
    ends = sorted({1, (parts + 1) // 2, parts})
    return list(zip([0, *ends[:-1]], ends, strict=True))


def judges_of(ground: Ground, seed: int) -> np.ndarray:
    """``(n,)`` parts of the rows that judge, for calibrations that are fitted on the others: the folds, or two halves
    of a hold-out."""
    rows, folds = ground.judged, ground.protocol.folds
    if folds:
        fold: np.ndarray = np.maximum(fold_of(rows, folds, seed), 0)
        return fold
    held = np.concatenate(held_rows(ground.splits, ground.parts(seed)))
    half = np.zeros(len(rows), dtype=np.int64)
    half[held] = halves(rows.take(held), seed)
    return half


def _joined(team: Team, laid: Recipe, trained: list[Trained], held: list[np.ndarray], stopped: bool) -> Team:
    # What the clock changed belongs to networks that are trained; those of the next rung have their own courses.
    return Team(
        laid.updated(relaid=()), [*team.trained, *trained], [*team.held_rows, *held[: len(trained)]], 1.0, stopped
    )


def _recorded(team: Team) -> Team:
    """A team whose recipe says what the clock changed, so that it can be replayed."""
    relaid = tuple(tuple(one.changes) for one in team.trained)
    return replace(team, recipe=team.recipe.updated(relaid=relaid if any(relaid) or team.ended_by_user else ()))
