"""The columns of a table that are no features: target, groups, weights, times; and the checks of their values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.readers import targets
from rarebird.readers.options import ReadOptions
from rarebird.readers.pictures import is_picture
from rarebird.readers.site import Place
from rarebird.readers.targets import WithoutTarget

if TYPE_CHECKING:
    import pandas as pd

# Sample weights are squared and divided by one another, which numbers beyond these do not survive.
WEIGHTS = (1e-100, 1e100)
# How alike a column's name must be to be what the user meant.
_NEAR = 0.7


@dataclass(frozen=True)
class Roles:
    """The columns that are not features; None if no column has that role."""

    target: str | None
    groups: str | None = None
    weight: str | None = None
    time: str | None = None

    @property
    def not_features(self) -> tuple[str, ...]:
        """The columns with a role."""
        return tuple(name for name in (self.target, self.groups, self.weight, self.time) if name is not None)


def find_roles(names: Sequence[str], options: ReadOptions, where: str) -> Roles:
    """The columns that are not features, by the options; the target is `target` if none is named.

    Raises:
        DataError: A named column is absent (which is allowed if labels are not wanted), or one column is named for two
            roles.
    """
    target = options.target_name
    if options.labelled and options.target is None and target not in names and _are_values(names):
        raise WithoutTarget(
            f"{where} has no column 'target', and its first line ({some(names, 3)}) may hold values in place of column "
            "names; add a line of column names, or name the target's column with --target."
        )
    if options.labelled and options.target is None and target not in names:
        raise WithoutTarget(
            f"{where} has no column 'target'; name the target's column with --target, one of {some(names)}."
        )
    wanted = {"target": target, "groups": options.groups, "weight": options.weight, "time": options.time}
    for role, name in wanted.items():
        if name is not None and name not in names:
            if options.labelled:
                kind = WithoutTarget if role == "target" else DataError
                raise kind(f"{where} has no column {name!r} (--{role}); {_hint(name, names)}")
            wanted[role] = None
    taken = [name for name in wanted.values() if name is not None]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        both = [f"--{role}" for role, name in wanted.items() if name == twice]
        raise DataError(
            f"{' and '.join(both)} name the same column {twice!r} of {where}; name a column for one of them only."
        )
    return Roles(**wanted)


def weights(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` float64 sample weights: finite, none below 0, some above.

    Raises:
        DataError: A weight breaks the rule; the message names its row.
    """
    if values.dtype.kind not in "iuf":
        raise DataError(f"{where} is not numeric; sample weights are finite numbers of at least 0.")
    weight = values.to_numpy(dtype=np.float64)
    least, most = WEIGHTS
    wrong = ~np.isfinite(weight) | (weight < 0) | (weight > most) | ((weight > 0) & (weight < least))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{where} holds the weight {weight[row]:g} ({place(row)}); sample weights are finite numbers of at least "
            f"0, and those above 0 are from {least:g} to {most:g}."
        )
    if not (weight > 0).any():
        raise DataError(f"{where} gives every row the weight 0; at least one weight must be above 0.")
    return weight


def groups(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` group labels as text.

    Raises:
        DataError: A row has none.
    """
    missing = targets.missing_mask(values)
    if missing.any():
        row = place(int(missing.argmax()))
        raise DataError(
            f"{where} holds no group ({row}); give every row a group, and a row without others a group of its own."
        )
    return np.array([targets.label(value) for value in values], dtype=object)


def times(values: pd.Series, where: str, place: Place) -> np.ndarray:
    """``(n,)`` numbers or dates that put rows in order.

    Raises:
        DataError: They are neither, or a row has none.
    """
    if values.dtype.kind not in "iufM":
        raise DataError(
            f"{where} holds neither numbers nor dates in one format, so the rows have no order in time; correct it."
        )
    missing = values.isna().to_numpy()
    if missing.any():
        raise DataError(f"{where} holds no time ({place(int(missing.argmax()))}); fill it in or remove that row.")
    return values.to_numpy()


def _are_values(names: Sequence[str]) -> bool:
    """Whether column names look like the cells of a row: some are numbers with decimals, or files of pictures."""
    return any(re.fullmatch(r"[+-]?\d+[.,]\d+", name) or is_picture(Path(name)) for name in names)


def _hint(name: str, names: Sequence[str]) -> str:
    """The nearest column, or a few of them if none is near: short names are alike by chance, as `target` and `age`."""
    lowered = [other for other in names if other.lower() == name.lower()]
    near = lowered or difflib.get_close_matches(name, names, n=1, cutoff=_NEAR)
    return f"did you mean {near[0]!r}?" if near else f"it has {some(names)}."
