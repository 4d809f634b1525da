"""Cut-offs of one class's probability, and which of them keep a floor of a figure on new rows with confidence.

Each cut-off labels the rows above it. A floor is refuted or kept by exact binomial p-values (Clopper and Pearson 1934).
Recall, specificity and the share of rows without an alert only rise or only fall with the cut-off, so that all cut-offs
may be tested at one level. Precision does not: it is tested in a fixed order, from several starts, each with a part of
the level and up to its first failure (Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then Test", 2021, fixed
sequence testing with several starts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import require
from rarebird.metrics.binomial_bounds import lower_bound, p_value_above
from rarebird.metrics.uncertainty import effective_rows

# Starts of the sequence of tests of a precision.
STARTS = 8
# Cut-offs that are looked at where rows form groups, whose likeness is measured at each.
GROUPED_CUTS = 200
FIGURES = ("precision", "recall", "specificity", "alerts")


@dataclass(frozen=True, eq=False)
class Cuts:
    """Cut-offs between the rows' distinct probabilities, from the highest to the lowest.

    Attributes:
        at: ``(c,)`` the cut-offs; a row is labelled if its probability is that or more.
        above: ``(c,)`` weight above each.
        hits: ``(c,)`` weight of the class above each.
        squares: ``(c,)`` sum of squared weights above each; of weights that count rows, the sum of the weights.
        n, n_class: Weight of all rows, and of the class.
        probability, is_class, weight, group: ``(n,)`` of the rows: probability of the class, whether they are of it,
            their weight, and their group.
    """

    at: np.ndarray
    above: np.ndarray
    hits: np.ndarray
    squares: np.ndarray
    n: float
    n_class: float
    probability: np.ndarray
    is_class: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None

    @classmethod
    def of(
        cls,
        probability: np.ndarray,
        is_class: np.ndarray,
        weight: np.ndarray,
        group: np.ndarray | None,
        with_all: bool = False,
    ) -> Cuts:
        """The cut-offs of these rows. The one that labels no row is left out, and so is, but for `with_all`, the one
        that labels all: they keep floors without telling anything apart."""
        used = weight > 0
        probability, is_class, weight = probability[used].astype(float), is_class[used], weight[used].astype(float)
        group = None if group is None else group[used]
        order = np.argsort(-probability, kind="stable")
        value = probability[order]
        above, hits, squares = (np.cumsum(part[order]) for part in (weight, weight * is_class, _squares(weight)))
        last = np.flatnonzero(value[:-1] > value[1:])
        if group is not None and len(last) > GROUPED_CUTS:
            last = last[np.unique(np.linspace(0, len(last) - 1, GROUPED_CUTS).round().astype(int))]
        at = (value[last] + value[last + 1]) / 2
        if with_all and len(value):
            at, last = np.append(at, 0.0), np.append(last, len(value) - 1)
        n, n_class = (float(part[-1]) if len(part) else 0.0 for part in (above, hits))
        return cls(at, above[last], hits[last], squares[last], n, n_class, probability, is_class, weight, group)

    def share(self, figure: str) -> tuple[np.ndarray, np.ndarray]:
        """Hits and rows, each ``(c,)``, of the share that is a figure at each cut-off: on the effective number of rows
        where weights only compare rows, or rows form groups. That of ``alerts`` is the share of rows without one."""
        others, same = self.n - self.n_class, np.ones(len(self.at))
        squares = _squares(self.weight)
        hits, total, square = {
            "precision": (self.hits, self.above, self.squares),
            "recall": (self.hits, self.n_class * same, squares[self.is_class].sum()),
            "specificity": (others - (self.above - self.hits), others * same, squares[~self.is_class].sum()),
            "alerts": (self.n - self.above, self.n * same, squares.sum()),
        }[figure]
        if self.group is None:
            rows = total**2 / np.maximum(square, 1e-300)
        else:
            rows = np.array([self._effective(figure, cut) for cut in self.at])
        return hits * rows / np.maximum(total, 1e-300), rows

    def _effective(self, figure: str, cut: float) -> float:
        """The effective number of the grouped rows of which a figure is a share, at one cut-off."""
        called = self.probability >= cut
        among, hit = {
            "precision": (called, self.is_class),
            "recall": (self.is_class, called),
            "specificity": (~self.is_class, ~called),
            "alerts": (np.ones(len(called), dtype=bool), ~called),
        }[figure]
        if not among.any():
            return 0.0
        assert self.group is not None
        weight = self.weight[among]
        return effective_rows(weight, hit[among] - np.average(hit[among], weights=weight), self.group[among])


def number_of(weight: np.ndarray) -> int:
    """How many rows weights stand for: their sum where they count rows, otherwise the rows that have any."""
    return int(weight.sum() if np.array_equal(weight, np.rint(weight)) else np.count_nonzero(weight))


def _squares(weight: np.ndarray) -> np.ndarray:
    """``(n,)`` what each row adds to the noise of a sum: its squared weight; of weights that count rows, the weight."""
    return weight if np.array_equal(weight, np.rint(weight)) else weight**2


def kept(cuts: Cuts, figure: str, floor: float, error: float) -> np.ndarray:
    """``(c,)`` bool: the cut-offs at which a floor holds; all of them together but for a probability of `error`.

    Args:
        cuts: The cut-offs.
        figure: One of `FIGURES`; ``alerts`` is at most `floor`, others are at least that.
        floor: 0..1.
        error: 0..1.
    """
    require(figure in FIGURES, f"figure is one of {', '.join(FIGURES)}", figure=figure)
    p_value = p_value_above(*cuts.share(figure), 1 - floor if figure == "alerts" else floor)
    if figure != "precision":
        return p_value <= error
    passed, level = p_value <= error / STARTS, np.zeros(len(p_value), dtype=bool)
    fails = np.append(np.flatnonzero(~passed), len(passed))
    for start in _starts(cuts, floor, error / STARTS):
        level[start : fails[np.searchsorted(fails, start)]] = True
    return level


def promised(cuts: Cuts, figure: str, floor: float, error: float) -> np.ndarray:
    """``(c,)`` the level that each cut-off promises of a figure, as a share of at least; that of ``alerts`` is of
    rows without one. Arguments as for `kept`.

    The precision of a cut-off is promised at a start of the sequence alone, where a test needs no other before it.
    """
    hits, rows = cuts.share(figure)
    if figure != "precision":
        return lower_bound(hits, rows, 1 - error)
    level = np.full(len(hits), -np.inf)
    starts = _starts(cuts, floor, error / STARTS)
    level[starts] = lower_bound(hits[starts], rows[starts], 1 - error / STARTS)
    return level


def _starts(cuts: Cuts, floor: float, error: float) -> np.ndarray:
    """The places of the cut-offs where sequences start: at numbers of rows that depend on nothing but their total, the
    first at the fewest rows that can show a precision above the floor, or above a half, if all of them are right."""
    if not len(cuts.above):
        return np.zeros(0, dtype=np.int64)
    fewest = np.log(error) / np.log(min(max(floor, 1e-6), 0.5))
    rows, most = np.maximum.accumulate(cuts.share("precision")[1]), cuts.share("alerts")[1].max()
    counts = np.geomspace(min(max(fewest, 1.0), most), max(most, 1.0), STARTS, endpoint=False)
    return np.unique(np.minimum(np.searchsorted(rows, counts), len(rows) - 1))
