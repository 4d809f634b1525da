"""The result of a method: an amount for each feature of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.explanation.shipped import OutputName

# Smaller changes of the output are not divided by.
LEAST_CHANGE = 1e-3


@dataclass(frozen=True, eq=False)
class Amounts:
    """What the features of some rows contribute to an output.

    Attributes:
        method: Its name, such as ``integrated_gradients``.
        output: ``log_odds``, ``probability`` or ``value``.
        values: ``(n, *shape)`` float64: ``(n, channels, height, width)`` of pictures (one channel for `grad_cam`),
            ``(n, channels, length)`` of series, ``(n, columns)`` of tables.
        codes: ``(n,)`` the class whose output is explained; 0 for regression.
        explained: ``(n,)`` the output of the rows.
        base: ``(n,)`` the output that they are compared with; NaN where the method compares with none.
        names: The columns of a table.
        sums: Whether the amounts of a row promise to add up to ``explained - base``.
        detail: A sentence on how they were found.
    """

    method: str
    output: OutputName
    values: np.ndarray
    codes: np.ndarray
    explained: np.ndarray
    base: np.ndarray
    names: tuple[str, ...] = ()
    sums: bool = True
    detail: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def errors(self) -> np.ndarray:
        """``(n,)`` the completeness error, ``explained - base - sum``; NaN where no sum is promised."""
        total = self.values.reshape(len(self.values), -1).sum(axis=1)
        gap: np.ndarray = self.explained - self.base - total
        return gap if self.sums else np.full(len(self.values), np.nan)

    @property
    def relative_errors(self) -> np.ndarray:
        """``(n,)`` the size of the completeness error as a share of the output's change."""
        change = np.abs(self.explained - self.base)
        share: np.ndarray = np.abs(self.errors) / np.maximum(change, LEAST_CHANGE)
        return share

    def take(self, rows: np.ndarray) -> Amounts:
        """The amounts of some rows."""
        parts = {name: getattr(self, name)[rows] for name in ("values", "codes", "explained", "base")}
        return replace(self, **parts)


def joined(parts: Sequence[Amounts]) -> Amounts:
    """The amounts of several sets of rows by one method, one after the other; at least one set."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in parts]) for name in ("values", "codes", "explained", "base")
    }
    return replace(parts[0], **arrays)
