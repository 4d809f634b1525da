"""Which of the finished candidates ship, and with which weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rarebird.search.candidate import Candidate
from rarebird.search.voting import Criterion, is_worse, loss, weights


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
        gain: By how much the ensemble's held-out loss is below the best family's, with weights that the judged rows had no part in.
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
    """An ensemble where averaging does not hurt, else the best family.

    Args:
        known: The families.
        criterion: What selection looks at.
        judges: ``(n,)`` parts of the rows; weights are tried on the rows of one part after they were found on all others.
    """
    best = min(known, key=lambda one: loss(one.losses))
    if len(known) == 1:
        return Chosen(known, np.ones(1), 0.0, f"{best.name} alone was trained.")
    tried = np.full(len(criterion.y), np.nan)
    for part in np.unique(judges):
        mine = judges == part
        shares = _weights(known, criterion, ~mine) if not mine.all() else _weights(known, criterion, mine)
        tried[mine] = criterion.rows(_mixed(known, shares))[mine]
    gain = loss(best.losses) - loss(np.where(np.isfinite(best.losses), tried, np.nan))
    if is_worse(tried, best.losses, errors=0.0):
        return Chosen([best], np.ones(1), gain, f"{best.name} alone: averaging it with others did not lower the held-out loss.")
    shares = _weights(known, criterion, np.ones(len(judges), dtype=bool))
    order = [place for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    named = ", ".join(f"{known[place].name} {shares[place]:.0%}" for place in order)
    return Chosen([known[place] for place in order], shares[order], gain, f"An ensemble: {named}.")


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
