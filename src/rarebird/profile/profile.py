"""What the data are and which problems they have, before anything is learned, as one value that JSON can hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rarebird.core.checks import require
from rarebird.data import columns
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.data.row_counts import counted, quantiles, rows_of
from rarebird.profile.applicable import applicable_methods, imbalance_ratio
from rarebird.profile.duplicates import NEAR_CELLS, NEAR_ROWS, Duplicates, Matches, between, conflicts, find, within
from rarebird.profile.facts import EFFECTIVE_BETA, ClassRow, Groups, Profile
from rarebird.profile.findings import ailments
from rarebird.profile.leaks import SAMPLE_ROWS, suspicious_columns


def profile(
    train: Dataset,
    *,
    val: Dataset | None = None,
    test: Dataset | None = None,
    matches: Matches | None = None,
    deadline: float | None = None,
) -> Profile:
    """Describe labelled training rows, and what validation and test rows have in common with them.

    Args:
        train: Training rows with labels.
        val: Validation rows, if there are any.
        test: Test rows, if there are any; their labels are counted, nothing is learned from them.
        matches: `duplicates.find` of these parts, if it is known already: on many pictures it takes a while.
        deadline: When the search for leaks ends, on the scale of `time.monotonic`; None: no limit.
    """
    require(train.y is not None, "profile takes labelled rows", y=train.y)
    require(len(train) > 0, "at least one training row", n=len(train))
    parts = [part for part in (train, val, test) if part is not None and len(part)]
    matches = find(parts) if matches is None else matches
    leaks, unsearched = suspicious_columns(train, deadline=deadline)
    known: dict[str, Any] = {
        "name": train.name,
        "kind": train.kind,
        "task": train.task,
        "target": train.target,
        "n": len(train),
        "n_val": None if val is None else len(val),
        "n_test": None if test is None else len(test),
        **_target(train, test),
        **_columns_and_missing(train),
        "duplicates": within(matches, train.ids),
        "across": _across(matches, train, {"val": val, "test": test}),
        "conflicts": conflicts(matches, train),
        "leaks": tuple(leaks),
        "groups": _groups(train, {"val": val, "test": test}),
        "shape": _shape(train),
        "applicable": tuple(applicable_methods(train)),
        "notes": tuple(_notes(matches, train, unsearched)),
    }
    return Profile(**known, ailments=tuple(ailments(Profile(**known))))


def effective_number(counts: np.ndarray, beta: float = EFFECTIVE_BETA) -> np.ndarray:
    """``(n_classes,)`` effective numbers of rows ``(1 - beta**n) / (1 - beta)``: about n for few rows, at most
    ``1 / (1 - beta)``."""
    require(0 <= beta < 1, "0 <= beta < 1", beta=beta)
    return np.asarray((1 - beta ** np.asarray(counts, dtype=np.float64)) / (1 - beta))


def _target(train: Dataset, test: Dataset | None) -> dict[str, Any]:
    counts = train.class_counts
    if counts is None:
        return {"target_summary": _summary(np.asarray(train.y, dtype=np.float64), rows_of(train.weights))}
    sizes = counts if train.weight is None else counted(train).weighted_counts
    effective = effective_number(sizes)
    tested = _test_counts(train, test)
    rows = [
        ClassRow(
            label=label,
            count=int(n),
            share=round(float(size / sizes.sum()), 6),
            effective=round(float(e), 2),
            test=None if tested is None else tested[label],
            counted=None if train.weight is None else round(float(size), 4),
        )
        for label, n, size, e in zip(train.classes, counts, sizes, effective, strict=True)
    ]
    return {
        "classes": tuple(rows),
        "imbalance_ratio": round(imbalance_ratio(sizes), 4),
        "effective_rows": round(float(effective.sum()), 2),
    }


def _test_counts(train: Dataset, test: Dataset | None) -> dict[str, int] | None:
    if test is None or test.y is None or test.class_counts is None:
        return None
    counts = dict(zip(test.classes, (int(n) for n in test.class_counts), strict=True))
    return {label: counts.get(label, 0) for label in train.classes}


def _summary(y: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    shares = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    found = {f"quantile_{q:g}": float(v) for q, v in zip(shares, quantiles(y, rows, shares), strict=True)}
    mean = float(np.average(y, weights=rows))
    deviation = float(np.sqrt(np.average(np.square(y - mean), weights=rows)))
    skewness = float(np.average(((y - mean) / deviation) ** 3, weights=rows)) if deviation > 0 else 0.0
    return {**found, "mean": mean, "standard_deviation": deviation, "skewness": skewness}


def _columns_and_missing(train: Dataset) -> dict[str, Any]:
    import pandas as pd

    source = train.source
    if isinstance(source, Frame):
        counts = pd.Series(source.missing(train.index), index=source.frame.columns)
        share = (counts / len(train)).sort_values(ascending=False, kind="stable")
        unused = columns.left_out_of(source, train.index)
        return {
            "missing_share": round(float(share.mean()), 6) if len(share) else 0.0,
            "missing_by_column": {str(name): round(float(value), 6) for name, value in share.items() if value > 0},
            "constant_columns": tuple(name for name, reason in unused.items() if reason == columns.CONSTANT),
            "identifier_columns": {name: reason for name, reason in unused.items() if reason != columns.CONSTANT},
        }
    if isinstance(source, Curves):
        values, lengths = source.rows(train.index)
        own = np.arange(values.shape[2]) < lengths[:, None, None]
        missing = (np.isnan(values) & own).sum(axis=(0, 2)) / max(int(lengths.sum()), 1)
        by_channel = {f"channel {i}": round(float(share), 6) for i, share in enumerate(missing) if share > 0}
        return {"missing_share": round(float(missing.mean()), 6), "missing_by_column": by_channel}
    return {}


def _shape(train: Dataset) -> dict[str, float]:
    source = train.source
    if isinstance(source, Pixels):
        channels, height, width = source.array.shape[1:]
        return {"channels": channels, "height": height, "width": width}
    if isinstance(source, Curves):
        lengths = source.lengths[train.index]
        return {
            "channels": source.values.shape[1],
            "shortest": int(lengths.min()),
            "median_length": float(np.median(lengths)),
            "longest": int(lengths.max()),
        }
    from pandas.api import types

    kinds = {"columns": len(source.frame.columns), "numeric": 0, "boolean": 0, "date": 0, "categorical": 0}
    for dtype in source.frame.dtypes:
        boolean, date = types.is_bool_dtype(dtype), types.is_datetime64_any_dtype(dtype)
        kinds[
            "boolean" if boolean else "date" if date else "numeric" if types.is_numeric_dtype(dtype) else "categorical"
        ] += 1
    return dict(kinds)


def _across(matches: Matches, train: Dataset, others: dict[str, Dataset | None]) -> dict[str, Duplicates]:
    start, copies = len(train), {}
    for name, part in others.items():
        if part is not None and len(part):
            copies[name] = between(matches, train.ids, part.ids, start)
            start += len(part)
    return copies


def _groups(train: Dataset, others: dict[str, Dataset | None]) -> Groups | None:
    if train.group is None:
        return None
    names, sizes = np.unique(train.group.astype(str), return_counts=True)
    given = {name: part.group for name, part in others.items() if part is not None and part.group is not None}
    shared = {name: int(np.isin(group.astype(str), names).sum()) for name, group in given.items()}
    return Groups(count=len(names), largest=int(sizes.max()), shared=shared)


def _notes(matches: Matches, train: Dataset, unsearched: int) -> list[str]:
    notes = []
    if unsearched:
        notes.append(f"Leaks were not searched in the last {unsearched:,} columns, because there was too little time.")
    if not matches.near_searched and not matches.chance:
        most = f"among at most {NEAR_ROWS:,} rows" if train.kind != "table" else f"in at most {NEAR_CELLS:,} cells"
        notes.append(f"Only exact duplicates were searched; near ones are searched {most}.")
    if train.kind == "table" and len(train) > SAMPLE_ROWS:
        rare = "" if train.class_counts is None else ", which has all rows of the rarer classes"
        notes.append(f"Leaks were searched in a sample of {SAMPLE_ROWS:,} rows{rare}.")
    if train.kind == "image" and matches.near_searched:
        notes.append(
            "Near duplicates are copies that were re-encoded, resized or lit differently; "
            "flipped and cropped copies are not found."
        )
    if train.class_counts is not None:
        bound = math.ceil(1 / (1 - EFFECTIVE_BETA) - 1e-9)
        notes.append(
            f"The effective rows of a class are (1 - beta^n) / (1 - beta) with beta = {EFFECTIVE_BETA}, "
            f"at most {bound:,}."
        )
    return notes
