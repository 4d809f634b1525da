"""Which of the finished candidates ship, and with which weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.ensemble_selection import Criterion, is_worse, loss, weights


@dataclass(frozen=True)
class Family:
    """A recipe with its repeats under other seeds.

    Attributes:
        name: What it is called.
        candidates: The recipe's runs.
        predicted: ``(n, n_outputs)`` the mean of their held-out predictions.
        losses: ``(n,)`` what each row adds to the criterion.
    """

    name: str
    candidates: Sequence[Candidate]
    predicted: np.ndarray
    losses: np.ndarray


@dataclass(frozen=True)
class Chosen:
    """Families with their weights, and why.

    Attributes:
        families: Those with a weight above 0, the heaviest first.
        shares: Their weights, of sum 1.
        gain: By how much the ensemble's held-out loss is below the best family's, with weights that the judged rows had
            no part in.
        why: One sentence.
    """

    families: Sequence[Family]
    shares: np.ndarray
    gain: float
    why: str


def families(finished: Sequence[Candidate], criterion: Criterion) -> list[Family]:
    """The finished candidates by name, in the order in which they came."""
    names = list(dict.fromkeys(one.name for one in finished))
    return [_family(name, [one for one in finished if one.name == name], criterion) for name in names]


def choose(known: Sequence[Family], criterion: Criterion, judges: np.ndarray) -> Chosen:
    """An ensemble, unless averaging is surely worse than the best family alone.

    Both are tried fairly: weights, and which family is best, are found on the rows of all parts but one and judged on
    that one. On the development sets an ensemble taken only where it is surely better lost what averaging gives on rows
    nobody had chosen by (NOTES.md).

    Args:
        known: The families.
        criterion: What selection looks at.
        judges: ``(n,)`` parts of the rows.
    """
    everything = np.ones(len(judges), dtype=bool)
    best = known[_best(known, everything)]
    if len(known) == 1:
        seeds = f", under {len(best.candidates)} seeds" if len(best.candidates) > 1 else ""
        return Chosen(known, np.ones(1), 0.0, f"What ships: {best.name}{seeds}.")
    alone, mixed = tried_fairly(known, criterion, judges)
    gain = loss(alone) - loss(mixed)
    if is_worse(mixed, alone):
        return Chosen(
            [best],
            np.ones(1),
            gain,
            f"What ships: {best.name} alone; averaged with others it was surely worse on held-out rows.",
        )
    shares = _weights(known, criterion, everything)
    order = [place for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    if len(order) == 1:
        return Chosen(
            [known[order[0]]],
            np.ones(1),
            gain,
            f"What ships: {known[order[0]].name}; all others were surely worse on held-out rows.",
        )
    named = ", ".join(f"{known[place].name} {shares[place]:.0%}" for place in order)
    return Chosen([known[place] for place in order], shares[order], gain, f"What ships is an ensemble: {named}.")


def tried_fairly(known: Sequence[Family], criterion: Criterion, judges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` losses of the best family alone and of the ensemble, each found on the rows of all other parts."""
    alone, mixed = np.full(len(judges), np.nan), np.full(len(judges), np.nan)
    for part in np.unique(judges):
        mine = judges == part
        others = mine if mine.all() else ~mine
        alone[mine] = known[_best(known, others)].losses[mine]
        mixed[mine] = criterion.rows(_mixed(known, _weights(known, criterion, others)))[mine]
    return alone, mixed


def _best(known: Sequence[Family], rows: np.ndarray) -> int:
    """The place of the family of least loss on some of the rows."""
    return int(np.argmin([loss(one.losses[rows]) for one in known]))


def _family(name: str, runs: Sequence[Candidate], criterion: Criterion) -> Family:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows that no run held out
        predicted = np.nanmean([one.predicted for one in runs], axis=0)
    return Family(name, runs, predicted, criterion.rows(predicted))


def _weights(known: Sequence[Family], criterion: Criterion, rows: np.ndarray) -> np.ndarray:
    """Weights from some of the rows."""
    here = Criterion(criterion.y[rows], criterion.weight[rows], criterion.prior, criterion.balanced)
    return weights([one.predicted[rows] for one in known], here)


def _mixed(known: Sequence[Family], shares: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = np.tensordot(shares, np.array([one.predicted for one in known]), axes=1)
    return mixed
