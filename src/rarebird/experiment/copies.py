"""Rows that copy one another, before anything is trained: what judges is not learned, and no split parts a row from its
copy.

A training row that copies a judged row (of the given validation or test rows) is known by heart when that row is
judged: it is left out of training. So is a validation row that copies a test row. Where a class (or, for regression,
the data) would lose all its rows, it keeps them, and the judged rows that copy these are left out in their place: the
figures are then those of the rows that are no copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import some
from rarebird.data.dataset import Dataset, Splits
from rarebird.profile import duplicates
from rarebird.profile.duplicates import Matches


@dataclass(frozen=True, eq=False)
class Copies:
    """What a run does with copies, and what is known of them already.

    Attributes:
        keep: Training rows that copy a judged row are trained on.
        groups: `duplicates.duplicate_groups` of the training rows, where no other rows were given; None: to be
            searched.
        across: `duplicates.find` of the training, validation and test rows, stacked; None: to be searched.
    """

    keep: bool = False
    groups: np.ndarray | None = None
    across: Matches | None = None


def settled(data: Splits, copies: Copies) -> Splits:
    """The rows without training rows that copy a judged row, with `Dataset.copies` and notes.

    Args:
        data: Training rows; validation and test rows if the data have them.
        copies: What to do, and what is known.
    """
    notes: list[str] = []
    if data.val is not None or data.test is not None:
        codes = _codes(data, copies.across)
        data, notes = _kept(data, codes) if copies.keep else _without_known_rows(data, codes)
    # What is held out of the training rows depends on them alone, so the search across the parts is of no use here.
    train, n_copies = _marked(data.train, copies.groups)
    val = None if data.val is None else _marked(data.val)[0]
    if n_copies and (val is None or data.test is None):
        joins = "" if train.group is None else ", and joins the groups that share copies"
        notes.append(
            f"Rows that are copies, or near-copies, of another row: {n_copies}; every split keeps a copy together "
            f"with its original{joins}."
        )
    return replace(data, train=train, val=val, notes=(*data.notes, *notes))


def _marked(rows: Dataset, groups: np.ndarray | None = None) -> tuple[Dataset, int]:
    """The rows with the codes of their copies, if there are any, and the number of copies."""
    groups = duplicates.duplicate_groups(rows) if groups is None else groups
    n_copies = len(groups) - int(np.count_nonzero(np.bincount(groups)))
    return (replace(rows, copies=groups) if n_copies else rows), n_copies


@dataclass(frozen=True, eq=False)
class _Codes:
    """Codes of the rows of each part, equal for copies; -1 where a row has no weight, and neither learns nor judges."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        """Codes of the judged rows."""
        return np.setdiff1d(np.concatenate([self.val, self.test]), [-1])

    @property
    def copied(self) -> np.ndarray:
        """Mask of the training rows that copy a judged row."""
        return np.isin(self.train, self.judged)


def _codes(data: Splits, across: Matches | None) -> _Codes:
    parts = [part for part in (data.train, data.val, data.test) if part is not None and len(part)]
    codes = (duplicates.find(parts) if across is None else across).groups
    ends = np.cumsum([0 if part is None else len(part) for part in (data.train, data.val, data.test)])
    by_part = np.split(codes, ends[:-1])
    weights = [np.zeros(0) if part is None else part.weights for part in (data.train, data.val, data.test)]
    return _Codes(*(np.where(weight > 0, code, -1) for code, weight in zip(by_part, weights, strict=True)))


def _kept(data: Splits, codes: _Codes) -> tuple[Splits, list[str]]:
    n = int(codes.copied.sum())
    if not n:
        return data, []
    return data, [
        f"{n} of {len(data.train)} training rows copy {_judged_rows(data)} and are trained on (--keep-copies): "
        "figures on rows whose copies were learned are not honest."
    ]


def _without_known_rows(data: Splits, codes: _Codes) -> tuple[Splits, list[str]]:
    """The rows without those that would be judged by heart, and a note on each kind of row that is left out."""
    lost = _lost_classes(data.train, codes)
    labels = np.zeros(len(codes.train)) if data.train.task == "regression" else data.train.codes
    kept = np.setdiff1d(codes.train[np.isin(labels, lost)], [-1])
    out = codes.copied & ~np.isin(codes.train, kept)
    notes = []
    if out.any():
        notes.append(
            f"{int(out.sum())} of {len(data.train)} training rows copy {_judged_rows(data)} and are left out of "
            "training, so that what judges was not learned (--keep-copies keeps them)."
        )
    # Without the kept rows' copies, which are no longer judged, validation rows must still not copy test rows.
    test_codes = np.setdiff1d(codes.test, [-1, *kept])
    val, val_notes = _part_without(data.val, np.isin(codes.val, test_codes), np.isin(codes.val, kept), "validation")
    test, test_notes = _part_without(data.test, np.zeros(len(codes.test), bool), np.isin(codes.test, kept), "test")
    if len(kept):
        notes.append(_lost_note(data.train, lost))
    train = data.train.take(~out) if out.any() else data.train
    return replace(data, train=train, val=val, test=test), [*notes, *val_notes, *test_notes]


def _lost_classes(train: Dataset, codes: _Codes) -> np.ndarray:
    """Codes of the classes whose training rows all copy judged rows; 0 stands for all rows of a regression."""
    labels = np.zeros(len(train), np.int64) if train.task == "regression" else train.codes
    learned = codes.train >= 0
    return np.setdiff1d(labels[learned], labels[learned & ~codes.copied])


def _lost_note(train: Dataset, lost: np.ndarray) -> str:
    if train.task == "regression":
        return "All training rows copy judged rows: they are kept, and the judged rows that they copy are left out."
    named = some(repr(train.classes[code]) for code in lost)
    if len(lost) > 1:
        return (
            f"Classes {named} would lose all their rows, because each copies a judged row: they keep them, and the "
            "judged rows that they copy are left out."
        )
    return (
        f"Class {named} would lose all its rows, because each copies a judged row: it keeps them, and the judged rows "
        "that they copy are left out."
    )


def _part_without(
    part: Dataset | None, of_test: np.ndarray, of_kept: np.ndarray, name: str
) -> tuple[Dataset | None, list[str]]:
    """Judged rows without those that copy a test row or a training row that is kept; None if no row is left."""
    out = of_test | of_kept
    if part is None or not out.any():
        return part, []
    n = len(part)
    notes = [
        f"{int(copies.sum())} of {n} {name} rows copy a {what} row and are left out."
        for copies, what in ((of_test, "test"), (of_kept & ~of_test, "training"))
        if copies.any()
    ]
    if out.all():
        return None, [*notes, f"No {name} row is left: give rows that are no copies, or keep them with --keep-copies."]
    return part.take(~out), notes


def _judged_rows(data: Splits) -> str:
    names = [name for name, part in (("validation", data.val), ("test", data.test)) if part is not None]
    return f"a {' or '.join(names)} row"
