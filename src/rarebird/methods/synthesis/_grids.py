"""Pictures and series as grids of one size, which networks of both kinds share, and grids as raw rows again.

A grid is ``(channels, height, width)``; a series is a grid of one line. Pictures larger than `MOST_PIXELS` a side are
reduced and, coming back, enlarged; longer series than `MOST_STEPS` likewise. Series of unequal lengths are stretched to
the longest one; a new series takes its length, and the places where values are missing, from a training row of its
class. Values stay within the bounds of the training rows, and whole numbers stay whole. Where each row of a channel
has the same mean and deviation (series standardized row by row), new rows get them, too, which may move a value beyond
the bounds.
"""

# Shape legend: N rows, C channels, H W sides of the grid, T steps of the longest series.

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Dataset, Pixels, Source

MOST_PIXELS, MOST_STEPS = 64, 1024
# Networks halve a grid until its longer side is below twice this number of cells.
LEAST_CELLS = {"image": 5, "series": 10}
# Pictures that are reduced at a time.
CHUNK = 512
# Rows whose means and deviations differ by at most this share of a channel's spread are standardized; fewer rows than
# `LEAST_ROWS` may have equal ones by chance.
EQUAL, LEAST_ROWS = 1e-4, 3


class GridShape(BaseModel):
    """The grid of a data set, and how its values are scaled.

    Attributes:
        kind: Of the data.
        channels: Channels of a picture or series.
        height, width: Sides of the data's pictures; 1 and the steps of the source's padded series.
        inner_height, inner_width: Sides of the grid without its margin.
        halvings: How often networks may halve the grid; its sides are multiples of 2 ** halvings.
        center, spread: Per channel: a cell is (value - center) / spread.
        low, high: Per channel, the bounds of values.
        whole: Per channel, whether all values are whole numbers.
        of_each_row: Per channel, mean and deviation of each row where all rows have the same; else None. Empty for
            pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["image", "series"]
    channels: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=2**24)
    inner_height: int = Field(ge=1, le=MOST_PIXELS)
    inner_width: int = Field(ge=1, le=MOST_STEPS)
    halvings: int = Field(ge=0, le=10)
    center: tuple[float, ...]
    spread: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    whole: tuple[bool, ...]
    of_each_row: tuple[tuple[float, float] | None, ...] = ()

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the grid."""
        step = 2**self.halvings
        height = self.inner_height if self.kind == "series" else math.ceil(self.inner_height / step) * step
        return height, math.ceil(self.inner_width / step) * step

    @property
    def scaled_bounds(self) -> tuple[Tensor, Tensor]:
        """``(C, 1, 1)`` each: the bounds of values in units of cells."""
        center, spread = _per_channel(self.center), _per_channel(self.spread)
        return (_per_channel(self.low) - center) / spread, (_per_channel(self.high) - center) / spread

    def cells(self, values: Tensor) -> Tensor:
        """Raw values ``(B, C, inner_height, inner_width)`` as scaled cells ``(B, C, H, W)``; the margin repeats the
        edge."""
        scaled = (values.float() - _per_channel(self.center).to(values.device)) / _per_channel(self.spread).to(
            values.device
        )
        height, width = self.sides
        margin = (0, width - self.inner_width, 0, height - self.inner_height)
        return functional.pad(scaled, margin, mode="replicate") if any(margin) else scaled

    def values(self, cells: Tensor) -> Tensor:
        """Cells ``(B, C, H, W)`` as raw values ``(B, C, inner_height, inner_width)``, within their bounds."""
        inner = cells.float().cpu()[:, :, : self.inner_height, : self.inner_width]
        raw = inner * _per_channel(self.spread) + _per_channel(self.center)
        return raw.clamp(_per_channel(self.low), _per_channel(self.high))


@dataclass(frozen=True, eq=False)
class Templates:
    """What a new series takes from a training row of its class; empty for pictures.

    Attributes:
        codes: ``(N,)`` classes of the rows.
        lengths: ``(N,)`` their lengths.
        gaps: ``(N, C, T)`` bool, where a value is missing within the length; of no rows where none is missing.
    """

    codes: np.ndarray
    lengths: np.ndarray
    gaps: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The templates as arrays of numbers, for a file."""
        gaps = self.gaps.astype(np.uint8)
        return {"codes": self.codes.astype(np.int64), "lengths": self.lengths.astype(np.int64), "gaps": gaps}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], shape: GridShape, n_classes: int) -> Self:
        """The templates that `arrays` gave.

        Raises:
            DataError: They do not fit the shape.
        """
        codes, lengths, gaps = (arrays[name] for name in ("codes", "lengths", "gaps"))
        fits = codes.ndim == 1 and codes.shape == lengths.shape and gaps.ndim == 3
        fits = fits and len(gaps) in (0, len(codes)) and gaps.shape[1:] == (shape.channels, shape.width)
        within = fits and all(
            len(values) == 0 or (values.min() >= low and values.max() <= high)
            for values, low, high in ((codes, 0, n_classes - 1), (lengths, 1, shape.width))
        )
        if not within:
            raise DataError("The lengths and gaps of the saved generator do not fit its series; make it again.")
        return cls(codes.astype(np.int64), lengths.astype(np.int64), gaps.astype(bool))


@dataclass(frozen=True, eq=False)
class GridRows:
    """Training rows as grids.

    Attributes:
        shape: The grid.
        raw: ``(N, C, inner_height, inner_width)`` uint8 or float32.
        codes: ``(N,)`` classes.
        counts: ``(N,)`` how many rows each row counts for.
        templates: Lengths and gaps of series.
    """

    shape: GridShape
    raw: Tensor
    codes: np.ndarray
    counts: np.ndarray
    templates: Templates

    def cells(self, positions: np.ndarray, device: str = "cpu") -> Tensor:
        """The rows at `positions` as scaled cells ``(B, C, H, W)``."""
        return self.shape.cells(self.raw[torch.from_numpy(positions)].to(device))


def grid_rows(train: Dataset) -> GridRows:
    """The training rows as grids."""
    raw, known = _pictures(train) if train.kind == "image" else _series(train)
    height, width = raw.shape[-2:]
    halvings = max(0, int(math.log2(max(height, width) / LEAST_CELLS[train.kind])))
    shape = GridShape(
        kind="image" if train.kind == "image" else "series",
        channels=raw.shape[1],
        inner_height=height,
        inner_width=width,
        halvings=halvings,
        **known.pop("shape"),
    )
    codes = train.codes
    none = Templates(codes[:0], codes[:0], np.zeros((0, shape.channels, shape.width), bool))
    templates = known.pop("templates", none)
    return GridRows(shape, torch.from_numpy(raw), codes, train.weights, templates)


def _pictures(train: Dataset) -> tuple[np.ndarray, dict[str, Any]]:
    assert isinstance(train.source, Pixels)
    array = train.source.array
    _, channels, height, width = array.shape
    shrink = min(1.0, MOST_PIXELS / max(height, width))
    sides = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    reduced = np.empty((len(train), channels, *sides), array.dtype)
    for start in range(0, len(train), CHUNK):
        part = np.ascontiguousarray(array[train.index[start : start + CHUNK]])
        reduced[start : start + CHUNK] = part if shrink == 1 else _resized(part, sides)
    top = 255.0 if array.dtype == np.uint8 else 1.0
    half = (top / 2,) * channels
    bounds = {"low": (0.0,) * channels, "high": (top,) * channels, "whole": (array.dtype == np.uint8,) * channels}
    return reduced, {"shape": {"height": height, "width": width, "center": half, "spread": half, **bounds}}


def _resized(pictures: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Pictures of other sides, smoothed where they shrink, in their own type."""
    moved = functional.interpolate(
        torch.from_numpy(pictures).float(), sides, mode="bilinear", antialias=True, align_corners=False
    ).numpy()
    return np.rint(moved).clip(0, 255).astype(np.uint8) if pictures.dtype == np.uint8 else moved.clip(0, 1)


def _series(train: Dataset) -> tuple[np.ndarray, dict[str, Any]]:
    values, lengths = train.raw()
    inside = np.arange(values.shape[2]) < lengths[:, None, None]
    gaps = np.isnan(values) & inside
    steps = min(int(lengths.max()), MOST_STEPS)
    curves = np.stack([_stretched(curve[:, :n], steps) for curve, n in zip(values, lengths, strict=True)])
    known = np.where(inside & np.isfinite(values), values, np.nan)
    # A channel without a single value stays without one: its gaps are those of its template.
    empty = np.isnan(known).all(axis=(0, 2), keepdims=True)
    known = np.where(empty, 0.0, known)
    low, high = np.nanmin(known, axis=(0, 2)), np.nanmax(known, axis=(0, 2))
    center, spread = np.nanmean(known, axis=(0, 2)), np.nanstd(known, axis=(0, 2))
    whole = np.all((known == np.rint(known)) | np.isnan(known), axis=(0, 2))
    curves = np.where(np.isnan(curves), center[:, None], curves)
    shape = {
        "height": 1,
        "width": values.shape[2],
        "center": tuple(center.tolist()),
        "spread": tuple(np.where(spread > 1e-8, spread, 1.0).tolist()),
        "low": tuple(low.tolist()),
        "high": tuple(high.tolist()),
        "whole": tuple(whole.tolist()),
        "of_each_row": tuple(_of_each_row(known[:, channel], spread[channel]) for channel in range(len(low))),
    }
    templates = Templates(train.codes, lengths, gaps if gaps.any() else gaps[:0])
    return curves[:, :, None].astype(np.float32), {"shape": shape, "templates": templates}


def _of_each_row(rows: np.ndarray, spread: float) -> tuple[float, float] | None:
    """Mean and deviation of each row ``(N, T)``, NaN where no value is; None where rows differ."""
    rows = rows[np.isfinite(rows).any(axis=1)]
    if len(rows) < LEAST_ROWS or spread <= 1e-8:
        return None
    means, deviations = np.nanmean(rows, axis=1), np.nanstd(rows, axis=1)
    if max(np.ptp(means), np.ptp(deviations)) > EQUAL * spread:
        return None
    return float(means.mean()), float(deviations.mean())


def _standardized(rows: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """Rows ``(n, T)``, NaN where no value is, each moved and scaled to this mean and deviation."""
    known = np.where(np.isfinite(rows).any(axis=1, keepdims=True), rows, 0.0)
    center, spread = np.nanmean(known, axis=1, keepdims=True), np.nanstd(known, axis=1, keepdims=True)
    return np.where(np.isnan(rows), np.nan, (known - center) / np.maximum(spread, 1e-8) * deviation + mean)


def _stretched(curve: np.ndarray, steps: int) -> np.ndarray:
    """A series ``(C, own steps)`` at `steps` equidistant times; missing values are filled in from their neighbors, and
    a channel without a value stays NaN."""
    own = curve.shape[1]
    times = np.linspace(0, own - 1, steps)
    if own == steps and not np.isnan(curve).any():
        return curve
    filled = np.full((len(curve), steps), np.nan)
    for channel, line in enumerate(curve):
        known = np.flatnonzero(~np.isnan(line))
        if len(known):
            filled[channel] = np.interp(times, known, line[known])
    return filled


def raw_rows(shape: GridShape, cells: Tensor, templates: Templates, code: int, draw: np.random.Generator) -> Source:
    """Grids ``(n, C, H, W)`` of one class as a source of raw rows, of the type and shape of the training rows."""
    values = shape.values(cells).numpy()
    if shape.kind == "image":
        if values.shape[2:] != (shape.height, shape.width):
            values = _enlarged(values, (shape.height, shape.width))
        return Pixels(np.rint(values).astype(np.uint8) if shape.whole[0] else values.astype(np.float32).clip(0, 1))
    own = np.flatnonzero(templates.codes == code)
    chosen = draw.choice(own, len(values)) if len(own) else draw.integers(0, len(templates.codes), len(values))
    curves = np.full((len(values), shape.channels, shape.width), np.nan, np.float32)
    for row, template in enumerate(chosen):
        length = int(templates.lengths[template])
        curves[row, :, :length] = _stretched(values[row, :, 0], length)
    whole = np.array(shape.whole)[:, None]
    curves = np.where(whole, np.rint(curves), curves)
    if len(templates.gaps):
        curves[templates.gaps[chosen]] = np.nan
    for channel, each in enumerate(shape.of_each_row):
        if each is not None and not shape.whole[channel]:
            curves[:, channel] = _standardized(curves[:, channel].astype(float), *each)
    return Curves(curves, templates.lengths[chosen])


def _enlarged(values: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    return functional.interpolate(torch.from_numpy(values), sides, mode="bilinear", align_corners=False).numpy()


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]
