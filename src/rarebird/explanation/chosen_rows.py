"""Which rows of a class a page explains: typical, hardest and wrongly named ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

TYPICAL, HARDEST, MISSED, MISTAKEN = "typical", "hardest", "wrongly named", "mistaken for it"
SUREST, LEAST_SURE = "surest", "least sure"
LARGEST, MIDDLE, SMALLEST, FARTHEST = "largest", "typical", "smallest", "farthest from the truth"
# A class with less than this share of what an equal split would give it is rare.
RARE = 0.5


@dataclass(frozen=True)
class Chosen:
    """A row to explain.

    Attributes:
        row: Its position.
        code: The class that is explained; 0 for regression.
        why: Why it was chosen.
    """

    row: int
    code: int
    why: str


def rare_first(counts: np.ndarray, most: int) -> list[int]:
    """Codes of the classes to show, the rarest first: the rare ones, and further ones up to `most`.

    Args:
        counts: ``(n_classes,)`` rows of each class; those without any are left out.
        most: How many classes.
    """
    order = [int(code) for code in np.argsort(counts, kind="stable") if counts[code] > 0]
    return order[:most]


def is_rare(counts: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` bool: less than half of the rows that an equal split would give the class."""
    rare: np.ndarray = counts < RARE * counts.sum() / max(len(counts), 1)
    return rare


def of_class(code: int, truth: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, n: int) -> list[Chosen]:
    """Rows that explain one class: of its own rows the surest right ones, the right ones that were nearly missed, and
    those with another label; and rows of other classes that were named so.

    Args:
        code: The class.
        truth, labels: ``(n_rows,)`` true and decided codes.
        probabilities: ``(n_rows, n_classes)``.
        n: How many of each kind.
    """
    own, named, p = truth == code, labels == code, probabilities[:, code]
    right = _ordered(own & named, -p)
    missed = _ordered(own & ~named, p)
    mistaken = _ordered(~own & named, -p)
    typical = right[:n]
    hardest = [row for row in right[::-1] if row not in typical][:n]
    found = ((TYPICAL, typical), (HARDEST, hardest), (MISSED, missed[:n]), (MISTAKEN, mistaken[:n]))
    return [Chosen(row, code, why) for why, rows in found for row in rows]


def of_predicted(code: int, labels: np.ndarray, probabilities: np.ndarray, n: int) -> list[Chosen]:
    """The same of rows without labels: those of which the model is surest and least sure."""
    p = probabilities[:, code]
    named = _ordered(labels == code, -p)
    surest = named[:n]
    least = [row for row in named[::-1] if row not in surest][:n]
    return [Chosen(row, code, why) for why, rows in ((SUREST, surest), (LEAST_SURE, least)) for row in rows]


def of_values(truth: np.ndarray | None, values: np.ndarray, n: int) -> list[Chosen]:
    """Rows of a regression: with the largest, a middle and the smallest predicted value, and the largest error."""
    order = np.argsort(values, kind="stable")
    middle = len(order) // 2
    kinds = [(LARGEST, order[::-1][:n]), (MIDDLE, order[middle : middle + n]), (SMALLEST, order[:n])]
    if truth is not None:
        kinds.append((FARTHEST, np.argsort(-np.abs(truth - values), kind="stable")[:n]))
    return list(_once(kinds))


def _once(kinds: list[tuple[str, np.ndarray]]) -> Iterator[Chosen]:
    seen: set[int] = set()
    for why, rows in kinds:
        for row in rows.tolist():
            if row not in seen:
                seen.add(row)
                yield Chosen(row, 0, why)


def _ordered(mask: np.ndarray, key: np.ndarray) -> list[int]:
    rows = np.flatnonzero(mask)
    return [int(row) for row in rows[np.argsort(key[rows], kind="stable")]]
