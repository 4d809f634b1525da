"""Which of the finished candidates are averaged, and with which weights.

Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004: members are added
one at a time, with replacement, each the one that makes the ensemble's held-out loss least. On few rows that loss is
itself a random draw, and greedy weights follow it; equal weights for all members that are not surely worse than the
best lose nothing and vary less (measured in NOTES.md). So each weight is the mean of both.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import Criterion, is_worse, loss

MOST_PICKS = 20


@dataclass(frozen=True)
class Family:
    """A recipe with its repeats under other seeds.

    Attributes:
        name: Its name in reports.
        candidates: The recipe's trainings.
        predicted: ``(n, n_outputs)`` the mean of their held-out predictions.
        losses: ``(n,)`` each row's loss under the criterion.
    """

    name: str
    candidates: Sequence[Candidate]
    predicted: np.ndarray
    losses: np.ndarray


@dataclass(frozen=True)
class Selection:
    """The families that ship, with their weights.

    Attributes:
        families: Those with a weight above 0, the heaviest first.
        shares: Their weights, of sum 1.
        gain: By how much the ensemble's held-out loss is below the best family's; its weights come from other rows.
        why: One sentence.
    """

    families: Sequence[Family]
    shares: np.ndarray
    gain: float
    why: str


def families(finished: Sequence[Candidate], criterion: Criterion) -> list[Family]:
    """The finished candidates by name, in the order in which they finished."""
    names = list(dict.fromkeys(one.name for one in finished))
    return [_family(name, [one for one in finished if one.name == name], criterion) for name in names]


def select(known: Sequence[Family], criterion: Criterion, parts: np.ndarray) -> Selection:
    """An ensemble, unless averaging is surely worse than the best family alone.

    Both are compared fairly: weights, and which family is best, are found on the rows of all parts but one and scored
    on that one. On the development sets, a rule that took an ensemble only where it was surely better lost accuracy on
    new rows (NOTES.md).

    Args:
        known: The families.
        criterion: What is minimized.
        parts: ``(n,)`` the part of each row.
    """
    everything = np.ones(len(parts), dtype=bool)
    best = known[_best(known, everything)]
    if len(known) == 1:
        seeds = f", under {len(best.candidates)} seeds" if len(best.candidates) > 1 else ""
        return Selection(known, np.ones(1), 0.0, f"What ships: {best.name}{seeds}.")
    alone, mixed = compare_fairly(known, criterion, parts)
    gain = loss(alone) - loss(mixed)
    if is_worse(mixed, alone):
        why = f"What ships: {best.name} alone; averaged with others it was surely worse on held-out rows."
        return Selection([best], np.ones(1), gain, why)
    shares = _weights(known, criterion, everything)
    order = [place for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    if len(order) == 1:
        only = known[order[0]]
        why = f"What ships: {only.name}; all others were surely worse on held-out rows."
        return Selection([only], np.ones(1), gain, why)
    named = ", ".join(f"{known[place].name} {shares[place]:.0%}" for place in order)
    return Selection([known[place] for place in order], shares[order], gain, f"What ships is an ensemble: {named}.")


def compare_fairly(known: Sequence[Family], criterion: Criterion, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` losses of the best family alone and of the ensemble, each found on the rows of all other parts."""
    alone, mixed = np.full(len(parts), np.nan), np.full(len(parts), np.nan)
    for part in np.unique(parts):
        mine = parts == part
        others = mine if mine.all() else ~mine
        alone[mine] = known[_best(known, others)].losses[mine]
        mixed[mine] = criterion.rows(_mixed(known, _weights(known, criterion, others)))[mine]
    return alone, mixed


def greedy(predicted: Sequence[np.ndarray], criterion: Criterion) -> np.ndarray:
    """``(members,)`` shares by greedy selection with replacement.

    Args:
        predicted: Per member ``(n, n_outputs)`` held-out probabilities or values.
        criterion: What is minimized.
    """
    picks, total, best = np.zeros(len(predicted)), np.zeros_like(predicted[0]), np.inf
    for done in range(MOST_PICKS):
        losses = [loss(criterion.rows((total + one) / (done + 1))) for one in predicted]
        if (least := min(losses)) >= best:
            break
        place = losses.index(least)
        picks[place] += 1
        total, best = total + predicted[place], least
    shares: np.ndarray = picks / max(picks.sum(), 1.0)
    return shares if picks.any() else np.full(len(predicted), 1 / len(predicted))


def weights(predicted: Sequence[np.ndarray], criterion: Criterion) -> np.ndarray:
    """``(members,)`` shares: half by greedy selection, half equal among all that are not surely worse than the best."""
    losses = [criterion.rows(one) for one in predicted]
    best = losses[int(np.argmin([loss(rows) for rows in losses]))]
    kept = np.array([not is_worse(rows, best) for rows in losses])
    mixed: np.ndarray = (greedy(predicted, criterion) + kept / kept.sum()) / 2
    return mixed


def _best(known: Sequence[Family], rows: np.ndarray) -> int:
    """The place of the family of least loss on some of the rows."""
    return int(np.argmin([loss(one.losses[rows]) for one in known]))


def _family(name: str, trainings: Sequence[Candidate], criterion: Criterion) -> Family:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows that no training held out
        predicted = np.nanmean([one.predicted for one in trainings], axis=0)
    return Family(name, trainings, predicted, criterion.rows(predicted))


def _weights(known: Sequence[Family], criterion: Criterion, rows: np.ndarray) -> np.ndarray:
    """Weights from some of the rows."""
    return weights([one.predicted[rows] for one in known], criterion.where(rows))


def _mixed(known: Sequence[Family], shares: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = np.tensordot(shares, np.array([one.predicted for one in known]), axes=1)
    return mixed
