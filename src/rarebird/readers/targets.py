"""Raw target values -> class codes with their labels, or numbers; decides between classification and regression."""

from __future__ import annotations

import ast
import decimal
import numbers
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.data.dataset import Task, natural_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    Values = Sequence[Any] | np.ndarray | pd.Series

# How many times as far from the middle as others a number may be: all are learned as float32 in one unit.
_FARTHEST = 1e12
# From so many rows on, labels that are different in every row are no classes.
_NAMES_OF_ROWS = 20
# Above these limits, numbers are amounts and not names of classes; see `is_continuous`.
# The largest number of a target for regression.
LARGEST = 1e100
_FEW_AMOUNTS = 20
_FEW_CLASSES = 10
_FEW_ROWS_PER_CLASS = 10
_MANY_CLASSES = 200


class WithoutTarget(DataError):
    """Rows that must be labelled have no target."""


def encode(
    values: Values, *, task: Task | None, where: str, least_classes: int = 2
) -> tuple[Task, np.ndarray, tuple[str, ...]]:
    """Targets without missing values -> task, codes or numbers, class labels.

    Args:
        values: ``(n,)`` labels or numbers, ``(n, 1)``, or ``(n, n_classes)`` one-hot.
        task: Overrides the guess of `is_continuous`.
        where: Name of the target in messages: its column and file.
        least_classes: Fewer classes are refused; 1 for test rows.

    Returns:
        ``("classification", (n,) int64 codes, labels in natural order)`` or ``("regression", (n,) float64, ())``.
        Labels that are text stay as they are; whole numbers lose their decimal point (1.0 -> "1"); booleans become
        "False" and "True".

    Raises:
        DataError: No value at all, infinite values, too few classes, a class for each of many rows, several targets
            per row, dates, or text for regression.
    """
    flat = _flat(values, where)
    if len(flat) == 0 or missing_mask(flat).all():
        raise WithoutTarget(
            f"{where} is missing in every row; fill in the target, or name another column with --target."
        )
    require(not missing_mask(flat).any(), "targets hold no missing value", where=where)
    amounts = _numbers(flat)
    if amounts is not None and not np.isfinite(amounts).all():
        row = int(np.flatnonzero(~np.isfinite(amounts))[0]) + 1
        raise DataError(f"{where} holds an infinite value (row {row}); remove that row or correct it.")
    guessed = task is None
    if task is None:
        task = "regression" if amounts is not None and is_continuous(amounts) else "classification"
    if task == "regression":
        return "regression", _within_range(_amounts(flat, amounts, where), where), ()
    codes, classes = _codes(flat if amounts is None else amounts)
    if len(classes) < least_classes:
        raise DataError(
            f"{where} holds only one class ({classes[0]!r}); add rows of another class, "
            "or name another column with --target."
        )
    if guessed and least_classes > 1 and len(classes) == len(codes) >= _NAMES_OF_ROWS:
        raise DataError(
            f"{where} has another label in each of its {len(codes):,} rows, as names of rows do; name another column "
            "with --target, or say what it is with --task."
        )
    return "classification", codes, classes


def _within_range(amounts: np.ndarray, where: str) -> np.ndarray:
    """Numbers whose squares are numbers, too."""
    large = np.abs(amounts) > LARGEST
    if large.any():
        raise DataError(
            f"{where} holds {amounts[large.argmax()]:g}; numbers beyond {LARGEST:g} cannot be learned: give the target "
            "in another unit, or its logarithm."
        )
    away = np.abs(amounts - np.median(amounts))
    typical = np.median(away[away > 0]) if away.any() else 0.0
    if away.max() > _FARTHEST * typical:
        row = int(away.argmax())
        raise DataError(
            f"{where} holds {amounts[row]:g} (row {row + 1}), which is so far from the others ({np.median(amounts):g} "
            "in the middle) that nothing could be learned beside it; correct it, or give the target's logarithm."
        )
    return amounts


def is_continuous(amounts: np.ndarray) -> bool:
    """Whether numeric targets are amounts (regression) rather than names of classes.

    Numbers with fractional parts are amounts if there are more than 20 distinct values, or more than half as many as
    rows. Whole numbers are amounts if there are more than 20 distinct values and: fewer than 10 rows each on average,
    or more than 200 values, or more than half of the numbers between the smallest and the largest one occur, as with
    ages and counts. But they are never amounts if they are the codes 0..k-1 or 1..k with at least 2 rows each on
    average, as the numbers of classes are.

    Args:
        amounts: ``(n,)`` finite numbers.
    """
    distinct = np.unique(amounts)
    n, k = len(amounts), len(distinct)
    if (distinct != np.floor(distinct)).any():
        return k > min(_FEW_AMOUNTS, n / 2)
    span = distinct[-1] - distinct[0] + 1
    if distinct[0] in (0, 1) and span == k and n >= 2 * k:
        return False
    dense = bool(2 * k > span)
    return k > _FEW_AMOUNTS and (n < _FEW_ROWS_PER_CLASS * k or k > _MANY_CLASSES or dense)


def notes_on_guess(values: Values, task: Task, where: str) -> list[str]:
    """A note on whole numbers that could be amounts as well as classes, so that the user can choose the other.

    Args:
        values: The target, without missing values.
        task: As it was guessed.
        where: Name of the target: its column and file.
    """
    amounts = _numbers(_array(values))
    if amounts is None or (np.floor(amounts) != amounts).any():
        return []
    k = len(np.unique(amounts))
    if task == "regression":
        return [
            f"{where} holds {k:,} different whole numbers, read as amounts; give --task classification for classes."
        ]
    if k <= _FEW_CLASSES:
        return []
    return [f"{where} holds {k:,} different whole numbers, read as classes; give --task regression for amounts."]


def missing_mask(values: Values) -> np.ndarray:
    """``(n,)`` True where a target is missing: None, NaN, NaT, NA, and the texts "" and "nan"; of ``(n, k)`` targets,
    any of the k."""
    import pandas as pd

    array = _array(values)
    mask = np.asarray(pd.isna(array))
    if array.dtype.kind in "OUS":
        codes, different = _different(array.ravel())
        texts = np.array([str(value) in ("", "nan", "NaN") for value in different], dtype=bool)
        mask = mask | texts[codes].reshape(array.shape)
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def label(value: Any) -> str:
    """The text of a class label: whole numbers without a decimal point; text in composed letters (NFC), so that two
    ways to write the same letters are one label; bytes as UTF-8.

    >>> label(1.0), label(0.5), label("a ")
    ('1', '0.5', 'a ')
    """
    if isinstance(value, bytes):
        # Bytes that are no UTF-8 are written out, so that different labels stay different.
        value = value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, str):
        return unicodedata.normalize("NFC", str(value))  # numpy's texts show their type in messages
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def multi_label(where: str) -> DataError:
    """The error for several labels per row."""
    return DataError(
        f"{where} holds several labels per row; multi-label targets are not supported yet: give one label per row."
    )


def _array(values: Values) -> np.ndarray:
    """Values as an array with one element per cell, also if cells hold lists; pandas' own types become objects."""
    if isinstance(values, np.ndarray):
        return values
    dtype = getattr(values, "dtype", None)
    if dtype is not None:
        return np.asarray(values) if isinstance(dtype, np.dtype) else np.asarray(values, dtype=object)
    try:
        array = np.asarray(values)
    except ValueError:  # lists of unequal lengths
        array = None
    if array is None or array.dtype.kind in "US" or array.ndim > 1:
        # NumPy would turn None and numbers among texts into texts, and lists in cells into a second axis.
        array = np.empty(len(values), dtype=object)
        array[:] = list(values)
    return array


def _flat(values: Values, where: str) -> np.ndarray:
    """``(n,)`` targets; one-hot rows become the position of the one. Refuses several labels per row."""
    array = _array(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "biuf" and np.isin(array, (0, 1)).all():
        if (array.sum(axis=1) != 1).any():
            raise multi_label(where)
        return np.asarray(array.argmax(axis=1))
    if array.ndim != 1:
        raise DataError(f"{where} has the shape {array.shape}, but a row has one target; give one column.")
    if array.dtype.kind in "OUS" and any(_holds_several(value) for value in _different(array)[1]):
        raise multi_label(where)
    if array.dtype.kind == "M":
        raise DataError(f"{where} holds dates; give a target of classes or numbers.")
    return array


def _holds_several(value: Any) -> bool:
    """Whether a cell is a list, tuple, set or array, or the text of a list."""
    if not isinstance(value, str):
        return isinstance(value, list | tuple | set | frozenset | np.ndarray)
    if not (value.startswith("[") and value.endswith("]")):
        return False
    try:
        return isinstance(ast.literal_eval(value), list)
    except (ValueError, SyntaxError):
        return False


def _numbers(flat: np.ndarray) -> np.ndarray | None:
    """The values as a numeric array, None where they are not all numbers (booleans and text are not)."""
    if flat.dtype.kind in "iuf":
        return flat
    if flat.dtype.kind != "O" or not all(_is_amount(value) for value in flat):
        return None
    array = np.array([float(v) if isinstance(v, decimal.Decimal) else v for v in flat])
    return array if array.dtype.kind in "iuf" else None


def _amounts(flat: np.ndarray, amounts: np.ndarray | None, where: str) -> np.ndarray:
    """Numbers for regression; text is accepted if every value is a number."""
    if amounts is None:
        try:
            amounts = np.array([float(value) for value in flat])
        except (TypeError, ValueError):
            first = next(value for value in flat if not _is_number(value))
            raise DataError(
                f"{where} holds {label(first)!r}, but regression needs numbers; correct it, or ask for classification."
            ) from None
        if not np.isfinite(amounts).all():
            raise DataError(f"{where} holds an infinite value; remove that row or correct it.")
    return amounts.astype(np.float64)


def _is_amount(value: Any) -> bool:
    return isinstance(value, numbers.Real | decimal.Decimal) and not isinstance(value, bool | np.bool_)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _different(flat: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """``(n,)`` positions among the values, of which each text is there once: millions of rows have few. Values of other
    types are not compared, because 1 and True are equal, but different labels."""
    import pandas as pd

    if pd.api.types.infer_dtype(flat, skipna=True) != "string":
        return np.arange(len(flat)), list(flat)
    codes, texts = pd.factorize(flat, use_na_sentinel=True)
    return codes, [*texts, None] if (codes < 0).any() else [*texts]


def _codes(flat: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """``(n,)`` int64 codes and the labels they stand for, in natural order."""
    if flat.dtype.kind in "biuf":
        distinct, inverse = np.unique(flat, return_inverse=True)
        labels = [label(value) for value in distinct]
    else:
        codes, different = _different(flat)
        texts = [label(value) for value in different]
        labels = natural_order(texts)
        place = {text: code for code, text in enumerate(labels)}
        inverse = np.array([place[text] for text in texts])[codes]
    return inverse.astype(np.int64), tuple(labels)
