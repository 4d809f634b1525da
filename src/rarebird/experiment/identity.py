"""What two processes must share for their trainings to belong to one search: the rows, and how they were split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from rarebird.data.dataset import Dataset, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.training.cross_fit import Parts


def split_identity(data: Splits, test_share: float, splits: Splits, parts: Parts, keep_copies: bool) -> dict[str, Any]:
    """Values that differ wherever a row would be learned, held out or judged in another place.

    The split itself is the last of them; those before it say in the user's words why it differs. Content and weights of
    the training rows are not among them: they have their own fingerprint.

    Args:
        data: The rows as they were given.
        test_share: Share held out for the test where `data` has none.
        splits: The rows after they were split.
        parts: Per network, the rows that it learns from, and the rows that it holds out.
        keep_copies: Whether training rows that copy judged rows are trained on.
    """
    return {
        "grouping": _of(data.train.group),
        "order in time": _of(data.train.time),
        "gap in time": None if data.train.gap is None else str(data.train.gap),
        "choice of validation rows": None if data.val is None else fingerprint(data.val),
        "choice of test rows": test_share if data.test is None else fingerprint(data.test),
        "choice of rows of other sources": [source.fingerprint for source in data.outside] or None,
        "choice of unlabeled rows": None if data.unlabeled is None else data.unlabeled.fingerprint,
        "treatment of copies": "kept" if keep_copies else "left out",
        "split": _digest(_positions(splits, parts)),
    }


def _of(values: np.ndarray | None) -> str | None:
    """A digest of which rows share a value, and of the order of the values: all that a split reads."""
    return None if values is None else _digest([np.unique(values, return_inverse=True)[1]])


def _positions(splits: Splits, parts: Parts) -> Iterator[np.ndarray]:
    """Which rows are training, validation and test rows, which stay together, and the parts."""
    given: list[Dataset | None] = [splits.train, splits.val, splits.test]
    for rows in given:
        yield np.zeros(0, np.int64) if rows is None else rows.index
    together = splits.train.together
    yield np.zeros(0, np.int64) if together is None else np.unique(together, return_inverse=True)[1]
    for part in parts:
        yield from part


def _digest(arrays: Iterator[np.ndarray] | list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{len(array)}:".encode() + np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]
