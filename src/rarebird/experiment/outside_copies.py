"""Copies of own rows among rows of other sources and unlabeled rows: they are left out before anything is trained.

A row that copies a test or validation row, exactly or nearly, must not be learned, nor may one that copies a training
row: each training row is held out from some network. All are left out and counted, so that no part has any.

In a table of few distinct values, equal rows may be due to chance (`profile.duplicates`). There, a combination of
values that would hardly occur twice if columns were independent marks a copy. Of any other combination, as many rows
are left out as test and validation rows have it, as if each had a copy; what equals a training row by chance may join,
just as training rows that are equal by chance are not kept together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data import columns
from rarebird.data.dataset import Dataset, Frame, Outside, Splits
from rarebird.data.fingerprint import column_digests
from rarebird.profile import duplicates

# A combination of values that is expected less often than this among all rows does not occur twice by chance.
CHANCE = 0.01


@dataclass(frozen=True)
class _Codes:
    """Codes of rows, equal for copies.

    Attributes:
        own, outside: ``(n,)`` and ``(m,)`` codes.
        judged: ``(n,)`` whether an own row is a test or validation row.
        all_copies: ``(m,)`` whether all rows with the code of a row are copies: they are not equal by chance.
    """

    own: np.ndarray
    judged: np.ndarray
    outside: np.ndarray
    all_copies: np.ndarray


def without_copies(data: Splits) -> Splits:
    """The rows without those of other sources that copy an own row, and a note for each source that had any."""
    kept: list[Outside] = []
    notes: list[str] = []
    for source in data.outside:
        codes = _codes(data, source)
        out = _copies(codes, _has_own_label(data, source, codes))
        judged = out & np.isin(codes.outside, codes.own[codes.judged])
        learned = out & ~judged
        if out.any():
            notes.append(f"{_sentence(source.rows, judged, learned)}; these do not join.")
        kept.append(
            replace(
                source,
                rows=source.rows.take(~out),
                judged_copies=source.judged_copies + int(judged.sum()),
                own_copies=source.own_copies + int(learned.sum()),
            )
        )
    return replace(data, outside=tuple(kept), notes=(*data.notes, *notes))


def pool_without_copies(data: Splits) -> Splits:
    """The rows with a pool of unlabeled rows that copies no own row, and a note if it had copies.

    Raises:
        DataError: Every row of the pool is a copy.
    """
    pool = data.unlabeled
    if pool is None or not len(pool.rows):
        return data
    codes = _codes(data, Outside(pool.rows, pool.n_given, absent=pool.absent))
    out = _copies(codes, np.zeros(len(pool.rows), bool))
    judged = out & np.isin(codes.outside, codes.own[codes.judged])
    if out.all():
        raise DataError(f"Every row of {pool.rows.name} copies one of {data.train.name}; give others with --unlabeled.")
    left = replace(
        pool,
        rows=pool.rows.take(~out),
        judged_copies=pool.judged_copies + int(judged.sum()),
        own_copies=pool.own_copies + int((out & ~judged).sum()),
    )
    notes = [f"{_sentence(pool.rows, judged, out & ~judged)}; these are left out of the pool."] if out.any() else []
    return replace(data, unlabeled=left, notes=(*data.notes, *notes))


def _sentence(rows: Dataset, judged: np.ndarray, learned: np.ndarray) -> str:
    parts = [
        f"{int(mask.sum())} copy {what}"
        for mask, what in ((judged, "a validation or test row"), (learned, "a training row"))
        if mask.any()
    ]
    return f"Of the {len(rows)} rows of {rows.name}, {' and '.join(parts)}"


def _own_parts(data: Splits) -> list[Dataset]:
    return [part for part in (data.train, data.val, data.test) if part is not None and len(part)]


def _codes(data: Splits, source: Outside) -> _Codes:
    own = _own_parts(data)
    compared = [_without_columns(part, source.absent) for part in (*own, source.rows)]
    found = duplicates.find(compared)
    n = sum(len(part) for part in own)
    is_copy = _is_rare(compared)[n:] if found.chance else np.ones(len(source.rows), bool)
    code = found.exact if found.chance else found.near
    return _Codes(code[:n], np.arange(n) >= len(data.train), code[n:], is_copy)


def _copies(codes: _Codes, has_own_label: np.ndarray) -> np.ndarray:
    """``(m,)`` the rows to leave out: of equal rows those with the label of a judged row first."""
    size = int(max(codes.own.max(initial=0), codes.outside.max(initial=0))) + 1
    n_own, n_judged = (np.bincount(own, minlength=size)[codes.outside] for own in (codes.own, codes.own[codes.judged]))
    order = np.lexsort((~has_own_label, codes.outside))
    ordered = codes.outside[order]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered, side="left")
    return np.asarray(((n_own > 0) & codes.all_copies) | (place < n_judged))


def _has_own_label(data: Splits, source: Outside, codes: _Codes) -> np.ndarray:
    """``(m,)`` whether an equal test or validation row has the same label."""
    if data.train.task == "regression":
        return np.zeros(len(source.rows), bool)
    classes = data.train.classes
    labels = np.concatenate([np.array(part.classes, dtype=object)[part.codes] for part in _own_parts(data)])
    judged = codes.judged
    pairs = set(zip(codes.own[judged].tolist(), labels[judged].tolist(), strict=True))
    mine = np.array(classes, dtype=object)[source.rows.codes].tolist()
    return np.array([pair in pairs for pair in zip(codes.outside.tolist(), mine, strict=True)], dtype=bool)


def _without_columns(rows: Dataset, absent: Sequence[str]) -> Dataset:
    """The rows without columns that one source lacks."""
    if not absent or not isinstance(rows.source, Frame):
        return rows
    frame = rows.raw().drop(columns=[name for name in rows.source.frame.columns if str(name) in absent])
    return replace(rows, source=Frame(frame), index=np.arange(len(rows)))


def _is_rare(parts: Sequence[Dataset]) -> np.ndarray:
    """``(n,)`` whether a row's values, if columns were independent, are expected less than `CHANCE` times."""
    import pandas as pd

    frame = pd.concat([part.raw() for part in parts], ignore_index=True, join="inner")
    unused = columns.left_out(parts[0].raw())
    expected = np.full(len(frame), np.log(len(frame)))
    for name in frame.columns:
        if str(name) not in unused:
            _, place, counts = np.unique(column_digests(frame[name]), return_inverse=True, return_counts=True)
            expected += np.log(counts[place] / len(frame))
    return np.asarray(expected < np.log(CHANCE))
