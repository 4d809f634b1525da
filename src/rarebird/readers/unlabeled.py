"""A pool of rows without labels, in the form of the training rows."""

from __future__ import annotations

from dataclasses import replace

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Unlabeled
from rarebird.data.fingerprint import fingerprint
from rarebird.readers.outside import bare_rows, with_own_columns


def fitted(rows: Dataset, train: Dataset) -> tuple[Unlabeled, list[str]]:
    """Rows of a pool with the columns (or pixel type, or channels) of the training rows, and notes; labels that they
    have are dropped.

    Args:
        rows: As they were read.
        train: Training rows.

    Raises:
        DataError: There are none, they are of another kind, or columns or channels cannot be matched.
    """
    if rows.kind != train.kind:
        raise DataError(
            f"{rows.name} holds data of kind {rows.kind!r}, but {train.name} holds data of kind {train.kind!r}; give "
            "unlabeled rows of the same kind."
        )
    if not len(rows):
        raise DataError(f"{rows.name} holds no rows to learn from; give more with --unlabeled.")
    source, absent, findings = with_own_columns(rows, train)
    bare = replace(bare_rows(rows, source, train), y=None, classes=train.classes, task=train.task)
    return Unlabeled(bare, len(bare), absent=absent, fingerprint=fingerprint(bare)), [
        f"{rows.name}: {finding}." for finding in findings
    ]
