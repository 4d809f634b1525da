"""Raw rows -> the inputs of one member, as a part of an exported graph.

A member knows the columns and categories of its own training rows. The graph has the columns of all members and one
list of categories per column; each member takes its columns, and translates the codes into its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rarebird.data.prepare import Prepared
from rarebird.data.prepare_table import CLIP, NUMBERS, Column
from rarebird.slots.protocols import Inputs

# Scaled numbers beyond this size are clipped before they are squared.
LARGEST = 1e150


def raw_columns(prepared: Sequence[Prepared]) -> list[dict[str, Any]]:
    """The columns that the graph takes, in the order in which the members name them: name, role, and the categories of
    all members, whose codes start at 1."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for member in prepared:
        for column in () if member.table is None else member.table.columns:
            entry = found.setdefault((column.name, column.role), {"name": column.name, "role": column.role})
            if column.role == "category":
                entry["categories"] = list(dict.fromkeys([*entry.get("categories", []), *column.categories]))
    return list(found.values())


def preparation_of(prepared: Prepared, columns: Sequence[dict[str, Any]], nhwc: bool) -> nn.Module:
    """The module that makes a member's inputs of the graph's.

    Args:
        prepared: The member's.
        columns: From `raw_columns`, for tables.
        nhwc: Whether pictures come with their channels last.
    """
    kind = prepared.spec.kind
    if kind == "image":
        return PictureInputs(nhwc)
    return SeriesInputs(prepared) if kind == "series" else TableInputs(prepared, columns)


class PictureInputs(nn.Module):
    """Bytes, or floats in 0..1, to floats ``(batch, channels, height, width)`` in 0..1."""

    def __init__(self, nhwc: bool) -> None:
        super().__init__()
        self.nhwc = nhwc

    def forward(self, x: Inputs) -> Inputs:
        pixels = x["pixels"]
        pixels = pixels.permute(0, 3, 1, 2) if self.nhwc else pixels
        return {"pixels": pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels}


class SeriesInputs(nn.Module):
    """Series in their own unit, without gaps inside, to standardized ones, 0 beyond their length."""

    mean: Tensor
    std: Tensor

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(prepared.spec.mean, dtype=torch.float32)[:, None])
        self.register_buffer("std", torch.tensor(prepared.spec.std, dtype=torch.float32)[:, None])

    def forward(self, x: Inputs) -> Inputs:
        values, lengths = x["values"], x["lengths"]
        scaled = (values - self.mean) / self.std
        inside = torch.arange(values.shape[2]) < lengths[:, None]
        known = inside[:, None, :] & (scaled == scaled)  # NaN differs from itself
        return {"values": torch.where(known, scaled, 0.0), "lengths": lengths}


class TableInputs(nn.Module):
    """Numbers in their own unit (float64, NaN where missing) and codes of the graph's categories to a member's."""

    numbers: Tensor
    center: Tensor
    scale: Tensor
    categories: Tensor
    starts: Tensor
    codes: Tensor
    finite: Tensor
    bound: Tensor

    def __init__(self, prepared: Prepared, columns: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        assert prepared.table is not None
        own = prepared.table.columns
        places = _places(columns)
        numbers = [column for column in own if column.role != "category"]
        chosen = [places[column.name, column.role] + part for column in numbers for part in range(NUMBERS[column.role])]
        self.register_buffer("numbers", torch.tensor(chosen, dtype=torch.int64))
        for name in ("center", "scale"):
            values = [value for column in numbers for value in getattr(column, name)]
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        known = {column["name"]: column["categories"] for column in columns if column["role"] == "category"}
        tables = [_own_codes(column, known[column.name]) for column in own if column.role == "category"]
        chosen = [places[column.name, "category"] for column in own if column.role == "category"]
        self.register_buffer("categories", torch.tensor(chosen, dtype=torch.int64))
        starts = torch.tensor([0, *(len(table) for table in tables)], dtype=torch.int64).cumsum(0)[:-1]
        self.register_buffer("starts", starts)
        self.register_buffer("codes", torch.tensor([code for table in tables for code in table], dtype=torch.int64))
        # As buffers, because numbers in the code become float32 in the graph, where these are infinite.
        self.register_buffer("finite", torch.tensor(torch.finfo(torch.float64).max, dtype=torch.float64))
        self.register_buffer("bound", torch.tensor(LARGEST, dtype=torch.float64))

    def forward(self, x: Inputs) -> Inputs:
        rows = next(iter(x.values())).shape[0]  # `len` would fix the batch
        if len(self.numbers):
            raw = x["numbers"][:, self.numbers]
            present = raw.abs() <= self.finite  # neither NaN nor infinite
            scaled = (torch.where(present, raw, 0.0) - self.center) * self.scale
            scaled = torch.minimum(torch.maximum(scaled, -self.bound), self.bound)
            scaled = scaled / (1 + (scaled / CLIP).square()).sqrt()
            numbers, missing = torch.where(present, scaled, 0.0).float(), (~present).float()
        else:
            numbers = missing = torch.zeros(rows, 0)
        if len(self.categories):
            codes = self.codes[x["categories"][:, self.categories] + self.starts]
        else:
            codes = torch.zeros(rows, 0, dtype=torch.int64)
        return {"numbers": numbers, "missing": missing, "categories": codes}


def _places(columns: Sequence[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """The place of each column among the graph's numbers or categories."""
    places, numbers, categories = {}, 0, 0
    for column in columns:
        key = (column["name"], column["role"])
        if column["role"] == "category":
            places[key], categories = categories, categories + 1
        else:
            places[key], numbers = numbers, numbers + NUMBERS[column["role"]]
    return places


def _own_codes(column: Column, known: Sequence[str]) -> list[int]:
    """A member's code for each of the graph's codes of a column; 0 for categories that it does not know."""
    own = {value: code for code, value in enumerate(column.categories, start=1)}
    return [0, *(own.get(value, 0) for value in known)]
