"""Raw rows -> tensors. `fit` learns scales, categories and bins from the training rows alone, before resampling; the
result is a value that JSON can hold."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from rarebird.core.checks import DataError, require
from rarebird.data import prepare_table
from rarebird.data.dataset import Dataset, Frame, Pixels
from rarebird.data.mapped_rows import MappedRows
from rarebird.data.row_counts import rows_of
from rarebird.data.spec import InputSpec
from rarebird.data.stored_frame import StoredFrame
from rarebird.data.stored_inputs import stored_inputs

if TYPE_CHECKING:
    from torch import Tensor

# The statistics of pictures use at most this many rows and pixel values, and this many values at a time, because their
# float64 copies take memory.
STATISTICS_ROWS, STATISTICS_VALUES, CHUNK_VALUES = 5_000, 2**26, 2**22
# Largest side of a picture and length of a series: larger ones would fill the memory, and no model that this package
# wrote has them.
LARGEST = {"image": 4096, "series": 2**24, "table": 1}
# Bytes of pictures above which a choice of rows is read batch by batch instead of copied.
MOST_COPIED = 2**28
# Standardized targets are cut here: their squares are numbers of float32.
FARTHEST = 1e15


class Prepared(BaseModel):
    """What `fit` learned from training rows, and the transformation itself.

    Attributes:
        spec: Shapes and scales that a network is built from.
        classes: Class labels in the order of the logits; empty for regression.
        table: Per-column state, for tables.
        target_mean, target_scale: Mean and standard deviation of the regression target.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: InputSpec
    classes: tuple[str, ...]
    table: prepare_table.TableState | None = None
    target_mean: float = 0.0
    target_scale: float = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """The state and the spec agree; checked because they may come from a file of unknown origin."""
        spec, table = self.spec, self.table
        require(
            min((*spec.std, self.target_scale)) > 0,
            "scales are above 0",
            std=spec.std[:5],
            target_scale=self.target_scale,
        )
        require(
            len(spec.mean) == len(spec.std) == spec.channels,
            "channels have a mean and std each",
            channels=spec.channels,
        )
        require((spec.kind == "table") == (table is not None), "tables have columns, and they alone", kind=spec.kind)
        if table is not None:
            require(
                table.cardinalities == spec.cardinalities,
                "categories have a code each",
                cardinalities=spec.cardinalities[:5],
            )
            require(
                table.n_numbers == spec.n_numbers == len(spec.bins), "numbers have bins each", numbers=spec.n_numbers
            )
        sizes = (spec.height, spec.width) if spec.kind == "image" else (spec.length,) if spec.kind == "series" else (1,)
        require(1 <= min(sizes) <= max(sizes) <= LARGEST[spec.kind], f"1 <= size <= {LARGEST[spec.kind]}", size=sizes)
        return self

    def inputs(self, data: Dataset) -> dict[str, Tensor]:
        """Tensors of all rows on the CPU; pictures stay uint8 (or float in 0..1). Rows on disk stay there: what takes
        the place of a tensor reads them when a batch needs them.

        Raises:
            DataError: The rows lack a column, or their shape is not that of the training rows.
        """
        if data.kind != self.spec.kind:
            raise DataError(
                f"{data.name} holds data of kind {data.kind!r}, but the model was trained on kind {self.spec.kind!r}."
            )
        if self.spec.kind == "table":
            assert self.table is not None
            if isinstance(data.source, StoredFrame):
                return stored_inputs(data.source, data.index, partial(prepare_table.inputs, self.table, name=data.name))
            return prepare_table.inputs(self.table, data.raw(), data.name)
        return self._pixels(data) if self.spec.kind == "image" else self._series(data)

    def targets(self, data: Dataset) -> Tensor:
        """``(n, n_outputs)`` float32: class probabilities, or the standardized value for regression."""
        import torch

        assert data.y is not None
        if data.task == "regression":
            standardized = (data.y - self.target_mean) / self.target_scale
            return torch.from_numpy(standardized.clip(-FARTHEST, FARTHEST).astype(np.float32))[:, None]
        if data.y.ndim == 2:
            return torch.from_numpy(data.y.astype(np.float32))
        return torch.nn.functional.one_hot(torch.from_numpy(data.y), self.spec.n_outputs).float()

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a regression network, which are standardized, in the target's own unit."""
        return outputs * self.target_scale + self.target_mean

    def _pixels(self, data: Dataset) -> dict[str, Tensor]:
        import torch

        assert isinstance(data.source, Pixels)
        array = data.source.array
        if array.shape[1:] != (self.spec.channels, self.spec.height, self.spec.width):
            raise DataError(
                f"{data.name} holds pictures of (channels, height, width) {array.shape[1:]}, but the model needs "
                f"{(self.spec.channels, self.spec.height, self.spec.width)}."
            )
        whole = len(data.index) == len(array) and bool((data.index == np.arange(len(array))).all())
        if whole and array.flags.writeable and not isinstance(array, np.memmap):
            return {"pixels": torch.from_numpy(array)}
        if isinstance(array, np.memmap) or len(data) * array[:1].nbytes > MOST_COPIED:
            return {"pixels": cast("Tensor", MappedRows(array, data.index))}
        return {"pixels": torch.from_numpy(array[data.index])}

    def _series(self, data: Dataset) -> dict[str, Tensor]:
        import torch

        values, lengths = data.raw()
        if values.shape[1] != self.spec.channels:
            raise DataError(
                f"{data.name} holds series of {values.shape[1]} channels, but the model needs {self.spec.channels}."
            )
        mean, std = (np.array(part, dtype=np.float32)[:, None] for part in (self.spec.mean, self.spec.std))
        scaled = (_fitted_length(_interpolated(values, lengths), self.spec.length) - mean) / std
        lengths = np.minimum(lengths, self.spec.length)
        beyond = np.arange(self.spec.length) >= lengths[:, None, None]
        scaled = np.where(beyond | np.isnan(scaled), np.float32(0), scaled)
        return {
            "values": torch.from_numpy(scaled.astype(np.float32)),
            "lengths": torch.from_numpy(lengths.astype(np.int64)),
        }


def fit(train: Dataset, seed: int = 0) -> tuple[Prepared, list[str]]:
    """Learn from training rows; a row of weight k counts as k rows.

    Args:
        train: Training rows before resampling, without any held-out row.
        seed: Chooses the rows for the statistics of pictures, where there are many.

    Returns:
        The prepared value, and a sentence on each column left out.
    """
    outputs = 1 if train.task == "regression" else train.n_classes
    common: dict[str, Any] = {"kind": train.kind, "task": train.task, "n_outputs": outputs}
    notes: list[str] = []
    state: dict[str, Any] = {"classes": train.classes}
    rows = rows_of(train.weights)
    if train.kind == "table":
        assert isinstance(train.source, Frame)
        state["table"], shapes, notes = prepare_table.fit(train.source, train.index, rows, train.name, seed)
    elif train.kind == "image":
        shapes = _pixel_statistics(train, rows, seed)
    else:
        shapes = _series_statistics(train, rows)
    if train.task == "regression":
        assert train.y is not None
        mean = float((rows * train.y).sum() / rows.sum())
        scale = float(np.sqrt((rows * np.square(train.y - mean)).sum() / rows.sum()))
        state |= {"target_mean": mean, "target_scale": scale if scale > 0 else 1.0}
    return Prepared(spec=InputSpec(**common, **shapes), **state), notes


def _pixel_statistics(train: Dataset, counts: np.ndarray, seed: int) -> dict[str, Any]:
    assert isinstance(train.source, Pixels)
    array, rows = train.source.array, train.index
    channels, height, width = array.shape[1:]
    most = max(1, min(STATISTICS_ROWS, STATISTICS_VALUES // (channels * height * width)))
    if len(rows) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
        rows, counts = rows[chosen], counts[chosen]
    sums, squares = np.zeros(channels), np.zeros(channels)
    step = max(1, CHUNK_VALUES // (channels * height * width))
    for start in range(0, len(rows), step):
        chunk = array[rows[start : start + step]].astype(np.float64)
        weight = counts[start : start + step, None, None, None]
        sums += (weight * chunk).sum(axis=(0, 2, 3))
        squares += (weight * np.square(chunk)).sum(axis=(0, 2, 3))
    scale = 255.0 if array.dtype == np.uint8 else 1.0
    values = counts.sum() * height * width
    mean = sums / values
    std = np.sqrt(np.maximum(squares / values - mean**2, 0)) / scale
    return {
        "channels": channels,
        "height": height,
        "width": width,
        "mean": tuple((mean / scale).tolist()),
        "std": tuple(np.where(std > 1e-4, std, 1.0).tolist()),
    }


def _series_statistics(train: Dataset, rows: np.ndarray) -> dict[str, Any]:
    values, lengths = train.raw()
    present, weight = np.isfinite(values), rows[:, None, None]
    count = (weight * present).sum(axis=(0, 2))
    count = np.where(count > 0, count, 1)
    filled = np.where(present, values, 0).astype(np.float64)
    mean = (weight * filled).sum(axis=(0, 2)) / count
    variance = (weight * np.where(present, values - mean[:, None], 0) ** 2).sum(axis=(0, 2)) / count
    std = np.sqrt(variance)
    return {
        "channels": values.shape[1],
        "length": int(lengths.max()),
        "mean": tuple(mean.tolist()),
        "std": tuple(np.where(std > 1e-8, std, 1.0).tolist()),
    }


def _interpolated(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The series with missing values filled in: on the line between their neighbors, and at both ends with the nearest
    known value."""
    inside = np.arange(values.shape[2]) < lengths[:, None, None]
    gaps = np.isnan(values) & inside
    if not gaps.any():
        return values
    values = values.copy()
    for row, channel in np.argwhere(gaps.any(axis=2)):
        curve = values[row, channel]
        known = np.flatnonzero(~np.isnan(curve))
        if len(known):
            where = np.flatnonzero(gaps[row, channel])
            curve[where] = np.interp(where, known, curve[known])
    return values


def _fitted_length(values: np.ndarray, length: int) -> np.ndarray:
    """The series cut or padded at the end to `length`, that of the longest training row."""
    if values.shape[2] >= length:
        return values[:, :, :length]
    return np.pad(values, ((0, 0), (0, 0), (0, length - values.shape[2])), constant_values=np.nan)
