"""Arrays, tensors of any device and type, masked arrays and nested lists -> arrays of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.core.checks import DataError


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor; torch is not imported for it."""
    return hasattr(value, "detach") and hasattr(value, "cpu")


def array_of(value: Any, what: str) -> np.ndarray:
    """Anything array-like as an array, in the memory of the CPU; what a mask hides is missing.

    Args:
        value: An array, a tensor, or nested lists.
        what: Its name in messages.

    Raises:
        DataError: It is sparse, ragged, or no array.
    """
    if is_tensor(value):
        return _of_tensor(value, what)
    if isinstance(value, np.ma.MaskedArray):
        return _unmasked(value)
    if hasattr(value, "toarray"):
        raise DataError(f"{what} is a sparse matrix, which is not supported; give it dense, as {what}.toarray().")
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"{what} has rows of unequal length; give an array, series padded with NaN.") from None
    if array.ndim == 0 or (array.dtype.kind == "O" and array.ndim == 1 and array.size and isinstance(array[0], dict)):
        raise DataError(
            f"{what} is of the type {type(value).__name__}, which is no table; give an array or a frame, such as "
            "pandas.DataFrame(...) makes of a dict or of a list of dicts."
        )
    return array


def _of_tensor(tensor: Any, what: str) -> np.ndarray:
    if str(tensor.layout) != "torch.strided":
        raise DataError(
            f"{what} is a tensor of the layout {tensor.layout}, which is not supported; give it dense, as "
            f"{what}.to_dense() makes it."
        )
    # NumPy has no such short floats.
    is_short = any(name in str(tensor.dtype) for name in ("bfloat16", "float8"))
    return np.asarray((tensor.float() if is_short else tensor).detach().cpu().numpy())


def _unmasked(array: np.ma.MaskedArray) -> np.ndarray:
    if not np.ma.is_masked(array):
        return np.asarray(array.data)
    if array.dtype.kind in "biuf":
        return np.asarray(np.ma.filled(array.astype(np.float64), np.nan))
    return np.asarray(np.ma.filled(array.astype(object), None))
