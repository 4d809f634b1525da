"""Chooses which finished candidates are averaged, and their weights.

Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004: members are added
one at a time, with replacement; each time the one is added with which the ensemble's held-out loss is smallest. On few
rows this loss is noisy, and greedy weights follow the noise. Equal weights for all members that are not surely worse
than the best are as accurate and vary less (measured in NOTES.md). So each weight is the mean of both.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import Criterion, is_worse, loss, standard_error
from rarebird.evaluation.search_history import Tried

MOST_PICKS = 20


@dataclass(frozen=True)
class Family:
    """A recipe with its repeats with other seeds.

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
    """The families in the final model, with their weights.

    Attributes:
        families: The families with a weight above 0, the largest weight first.
        shares: Their weights, of sum 1.
        gain: How much the ensemble's held-out loss is below that of the best family; both are compared as in
            `compare_fairly`.
        why: One sentence for the user.
    """

    families: Sequence[Family]
    shares: np.ndarray
    gain: float
    why: str


def families(finished: Sequence[Candidate], criterion: Criterion) -> list[Family]:
    """The finished candidates by name, in the order in which they finished."""
    names = list(dict.fromkeys(one.name for one in finished))
    return [_family(name, [one for one in finished if one.name == name], criterion) for name in names]


def select(choices: Sequence[Family], criterion: Criterion, parts: np.ndarray) -> Selection:
    """Select an ensemble, unless averaging is surely worse than the best family alone.

    Both are compared fairly: the weights and the best family are chosen on the rows of all parts except one, and scored
    on that part. On the development sets, a rule that selected an ensemble only if it was surely better lost accuracy
    on new rows (NOTES.md).

    Args:
        choices: The families.
        criterion: The loss to minimize.
        parts: ``(n,)`` the part of each row.
    """
    all_rows = np.ones(len(parts), dtype=bool)
    best = choices[_best(choices, all_rows)]
    if len(choices) == 1:
        seeds = f", with {len(best.candidates)} seeds" if len(best.candidates) > 1 else ""
        return Selection(choices, np.ones(1), 0.0, f"The final model: {best.name}{seeds}.")
    alone, averaged = compare_fairly(choices, criterion, parts)
    gain = loss(alone) - loss(averaged)
    if is_worse(averaged, alone, criterion.group):
        why = f"The final model: {best.name} alone; averaged with others it was surely worse on held-out rows."
        return Selection([best], np.ones(1), gain, why)
    shares = _weights(choices, criterion, all_rows)
    order = [place for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    if len(order) == 1:
        only = choices[order[0]]
        why = f"The final model: {only.name}; all others were surely worse on held-out rows."
        return Selection([only], np.ones(1), gain, why)
    named = ", ".join(f"{choices[place].name} {shares[place]:.0%}" for place in order)
    why = f"The final model is an ensemble: {named}."
    return Selection([choices[place] for place in order], shares[order], gain, why)


def compare_fairly(choices: Sequence[Family], criterion: Criterion, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` losses of the best family and of the ensemble, both chosen for each part on the rows of all others."""
    alone, averaged = np.full(len(parts), np.nan), np.full(len(parts), np.nan)
    for part in np.unique(parts):
        in_part = parts == part
        others = in_part if in_part.all() else ~in_part
        alone[in_part] = choices[_best(choices, others)].losses[in_part]
        shares = _weights(choices, criterion, others)
        averaged[in_part] = criterion.rows(_average(choices, shares))[in_part]
    return alone, averaged


def greedy(predicted: Sequence[np.ndarray], criterion: Criterion) -> np.ndarray:
    """``(members,)`` shares by greedy selection with replacement.

    Args:
        predicted: Per member ``(n, n_outputs)`` held-out probabilities or values.
        criterion: The loss to minimize.
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
    """``(members,)`` shares: the mean of greedy shares, and of equal shares for all not surely worse than the best."""
    losses = [criterion.rows(one) for one in predicted]
    best = losses[int(np.argmin([loss(rows) for rows in losses]))]
    is_kept = np.array([not is_worse(rows, best, criterion.group) for rows in losses])
    mean: np.ndarray = (greedy(predicted, criterion) + is_kept / is_kept.sum()) / 2
    return mean


def _best(choices: Sequence[Family], rows: np.ndarray) -> int:
    """The place of the family with the smallest loss on the given rows, ``(n,)`` bool."""
    return int(np.argmin([loss(one.losses[rows]) for one in choices]))


def _family(name: str, trainings: Sequence[Candidate], criterion: Criterion) -> Family:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows that no candidate held out
        predicted = np.nanmean([one.predicted for one in trainings], axis=0)
    return Family(name, trainings, predicted, criterion.rows(predicted))


def _weights(choices: Sequence[Family], criterion: Criterion, rows: np.ndarray) -> np.ndarray:
    """Weights chosen on the given rows, ``(n,)`` bool."""
    return weights([one.predicted[rows] for one in choices], criterion.where(rows))


def _average(choices: Sequence[Family], shares: np.ndarray) -> np.ndarray:
    averaged: np.ndarray = np.tensordot(shares, np.array([one.predicted for one in choices]), axes=1)
    return averaged


def row_of(family: Family, best: np.ndarray, group: np.ndarray | None, share: float) -> Tried:
    """A family's row in the report; `best` are the losses of the best family."""
    difference = family.losses - best
    paired = difference[np.isfinite(difference)]
    return Tried(
        name=family.name,
        loss=float(np.nanmean(family.losses)),
        behind=float(paired.mean()) if len(paired) else None,
        error=standard_error(difference, group),
        share=share,
        runs=len(family.candidates),
        seconds=round(sum(one.seconds for one in family.candidates), 2),
        is_reference=family.candidates[0].is_reference,
        is_default=family.candidates[0].role == "default",
    )
