"""A resampling of the slot `resampling` as a sampler of imbalanced-learn: ``sampler.fit_resample(X, y)``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from imblearn.base import BaseSampler
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.under_sampling.base import BaseCleaningSampler, BaseUnderSampler
from imblearn.utils import check_target_type
from scipy.sparse import issparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.slots import methods
from rarebird.slots.faces import document, settings, with_parameters

# What replaces a method's own setting on the numbers of rows: `sampling_strategy` says it class by class.
REPLACED = {
    "over-sampling": ("ratio",),
    "combined": ("ratio",),
    "under-sampling": ("ratio",),
    "clean-sampling": ("classes",),
}
BASES = {"over-sampling": BaseOverSampler, "under-sampling": BaseUnderSampler, "clean-sampling": BaseCleaningSampler}
OWN = """\
sampling_strategy: As that of imbalanced-learn's samplers of the same kind: which classes change and, except for
    cleaning, to how many rows.
random_state: An integer, a `RandomState`, or None for other draws each time.
"""


class MethodSampler(BaseSampler):  # type: ignore[misc]
    """What all samplers share; a class of `rarebird.sampling` adds its method.

    Attributes:
        sampling_strategy_: Class -> rows that are made (over-sampling) or kept (under-sampling) of it.
        sample_indices_: ``(n_resampled,)`` for each row its position in `X`; only of samplers that choose rows and make
            none.
        n_features_in_: Columns of `X`, if it is a table.
        feature_names_in_: Names of the columns, where `X` is a frame whose names are all text.
    """

    method_class: ClassVar[Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.three_d_array = self._takes_any_rows
        tags.sampler_tags.sample_indices = self._chooses_rows
        return tags

    @property
    def _takes_any_rows(self) -> bool:
        """Whether the cells of the rows do not matter, so that they may be pictures or series."""
        return "image" in methods.kinds("resampling", self.method_class.name)

    @property
    def _chooses_rows(self) -> bool:
        """Whether every resulting row is one of the given rows."""
        try:
            return not self._method().makes_rows
        except ValueError:  # a setting that `fit_resample` refuses
            return False

    def _method(self) -> Any:
        return self.method_class(**{name: getattr(self, name) for name in self._fields})

    def _check_X_y(self, X: Any, y: Any, accept_sparse: Any = None) -> tuple[Any, np.ndarray, bool]:
        """The rows as they came, with their number and names of columns remembered; the labels as an array."""
        labels, is_one_hot = check_target_type(y, indicate_one_vs_all=True)
        checked: dict[str, Any] = {"reset": True, "y": labels}
        if isinstance(X, pd.DataFrame):
            # Cells of any type are served, which scikit-learn's check of the cells would refuse.
            validate_data(self, X, reset=True, skip_check_array=True)
            if len(X) != len(labels):
                raise DataError(f"X has {len(X)} rows but y has {len(labels)}; give one label per row.")
            return X, np.asarray(labels), is_one_hot
        cells = X if issparse(X) else np.asarray(X)
        as_text = cells.dtype.kind in "OUS"
        X, labels = validate_data(
            self,
            cells,
            accept_sparse=["csr", "csc"],
            dtype=None if as_text else "numeric",
            ensure_all_finite=False if as_text else "allow-nan",
            allow_nd=self._takes_any_rows,
            **checked,
        )
        return X, labels, is_one_hot

    def _fit_resample(self, X: Any, y: np.ndarray, **params: Any) -> tuple[Any, np.ndarray]:
        """The resampled rows and labels.

        Raises:
            ValueError: A setting is out of its range.
        """
        method = self._method()
        labels, codes = np.unique(y, return_inverse=True)
        rows = dataset_of(X, codes, labels, self._takes_any_rows)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        found: Dataset = method.resampled(rows, self._wanted(labels, codes), rng)
        assert found.y is not None
        if self._chooses_rows:
            # The rows themselves, whatever they are: their source was only looked at.
            self.sample_indices_ = found.index
            return _taken(X, found.index), y[found.index]
        return _like(X, found), labels[found.y]

    def _wanted(self, labels: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """What `resampled` is asked for: `sampling_strategy_` by class code."""
        asked = self.sampling_strategy_
        if self._sampling_type == "clean-sampling":
            return np.array([label in asked for label in labels])
        counts = np.bincount(codes)
        others = counts if self._sampling_type == "under-sampling" else np.zeros_like(counts)
        return np.array([asked.get(label, other) for label, other in zip(labels, others, strict=True)], dtype=np.int64)


def made(slot: str, name: str, public_name: str) -> type[MethodSampler]:
    """The class of one resampling.

    Raises:
        DataError: It does not say what it does to classes, so that no strategy can be asked of it.
    """
    method: Any = methods.load(slot, name)
    if not hasattr(method, "sampling"):
        raise DataError(f"The resampling {name} has no `sampling`, which a sampler needs.")
    combined = method.sampling == "combined"
    given = settings(method, REPLACED[method.sampling])
    bases = (MethodSampler,) if combined else (MethodSampler, BASES[method.sampling])
    members = {
        "__init__": with_parameters(_set, given),
        "__doc__": document(method, given, OWN),
        "__module__": "rarebird.sampling",
        "method_class": method,
        "_fields": tuple(one.name for one in given),
        "_sampling_type": "over-sampling" if combined else method.sampling,
    }
    if combined:
        members["_parameter_constraints"] = BaseOverSampler._parameter_constraints
    return type(public_name, bases, members)


def _set(self: Any, *, sampling_strategy: Any = "auto", random_state: Any = None, **fields: Any) -> None:
    self.sampling_strategy, self.random_state = sampling_strategy, random_state
    for name, value in fields.items():
        setattr(self, name, value)


def dataset_of(X: Any, codes: np.ndarray, labels: np.ndarray, any_rows: bool) -> Dataset:
    """Checked rows as a table's; where the cells do not matter, as the numbers of the rows.

    Args:
        X: A frame, an array or a sparse matrix.
        codes: ``(n,)`` int class codes.
        labels: ``(n_classes,)``.
        any_rows: The cells do not matter.
    """
    n = len(codes)
    if any_rows:
        frame = pd.DataFrame({"row": np.arange(n)})
    elif isinstance(X, pd.DataFrame):
        frame = X.set_axis(_names(X), axis=1).reset_index(drop=True)
        if any(map(_is_sparse, frame.dtypes)):
            frame = frame.astype({name: dtype.subtype for name, dtype in frame.dtypes.items() if _is_sparse(dtype)})
    else:
        cells = X.toarray() if issparse(X) else X
        frame = pd.DataFrame(cells.astype(object) if cells.dtype.kind in "US" else cells).infer_objects()
        frame = frame.set_axis(_names(frame), axis=1)
    return Dataset(
        kind="table",
        task="classification",
        source=Frame(frame),
        index=np.arange(n),
        y=codes.astype(np.int64),
        classes=tuple(map(str, labels)),
        ids=np.arange(1, n + 1).astype(str).astype(object),
        name="X",
    )


def _is_sparse(dtype: Any) -> bool:
    return isinstance(dtype, pd.SparseDtype)


def _names(frame: pd.DataFrame) -> list[str]:
    return [f"x{place}" for place in range(frame.shape[1])]


def _taken(X: Any, index: np.ndarray) -> Any:
    return X.iloc[index] if isinstance(X, pd.DataFrame) else X[index]


def _like(X: Any, found: Dataset) -> Any:
    """Resampled rows in the form of the given ones."""
    frame: pd.DataFrame = found.raw().reset_index(drop=True)
    if isinstance(X, pd.DataFrame):
        return frame.set_axis(X.columns, axis=1)
    # A column of an array keeps its type, as the array has one for all.
    cells = frame.to_numpy(dtype=X.dtype)
    return type(X)(cells) if issparse(X) else cells
