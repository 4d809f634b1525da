"""What amounts are given for: pixels, steps of a series, or columns; the same for all members of a model, although each
has its own preparation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from rarebird.data.prepare import Prepared
from rarebird.data.prepare_table import NUMBERS
from rarebird.explanation.shipped import ShippedOutput
from rarebird.slots.protocols import Inputs

# Parts of the inputs that are no features: they stay those of the explained row.
FRAMES = ("lengths",)


class Features:
    """The features of a model's rows.

    Attributes:
        kind: ``image``, ``table`` or ``series``.
        shape: Of a row's amounts: ``(channels, height, width)``, ``(channels, length)`` or ``(columns,)``.
        names: Columns of a table; empty for other kinds.
    """

    def __init__(self, shipped: ShippedOutput) -> None:
        prepared = [member.prepared for member in shipped.model.members]
        spec = prepared[0].spec
        self.kind = spec.kind
        self.names: tuple[str, ...] = ()
        self._places: list[tuple[Tensor, Tensor]] = []
        if spec.kind == "image":
            self.shape: tuple[int, ...] = (spec.channels, spec.height, spec.width)
        elif spec.kind == "series":
            self.shape = (spec.channels, max(one.spec.length for one in prepared))
        else:
            self.names = tuple(dict.fromkeys(name for one in prepared for name in _columns(one)))
            self.shape = (len(self.names),)
            known = {name: place for place, name in enumerate(self.names)}
            self._places = [_places(one, known) for one in prepared]

    def collected(self, member: int, parts: Mapping[str, Tensor]) -> Tensor:
        """``(batch, *shape)`` amounts of the features, from those of a member's inputs, each of its input's shape."""
        if self.kind == "image":
            return parts["pixels"]
        if self.kind == "series":
            values = parts["values"]
            return torch.nn.functional.pad(values, (0, self.shape[1] - values.shape[2]))
        numbers, categories = self._places[member]
        found = parts["numbers"].new_zeros(len(parts["numbers"]), *self.shape)
        found.index_add_(1, numbers.to(found.device), parts["numbers"] + parts["missing"])
        if len(categories):
            found.index_add_(1, categories.to(found.device), parts["categories"].to(found.dtype))
        return found

    def mixed(self, member: int, rows: Inputs, others: Inputs, keep: Tensor) -> Inputs:
        """A member's inputs that have the features in `keep` from one row, and all others from another.

        Args:
            member: Whose inputs they are.
            rows, others: ``(batch, ...)`` inputs.
            keep: ``(batch, *shape)`` bool, with an axis of length 1 where the channels of a picture go together.
        """
        if self.kind == "image":
            return {"pixels": torch.where(keep, rows["pixels"], others["pixels"])}
        if self.kind == "series":
            own = keep[:, :, : rows["values"].shape[2]]
            return {**rows, "values": torch.where(own, rows["values"], others["values"])}
        numbers, categories = self._places[member]
        of_numbers, of_categories = keep[:, numbers.to(keep.device)], keep[:, categories.to(keep.device)]
        masks = {"numbers": of_numbers, "missing": of_numbers, "categories": of_categories}
        return {name: torch.where(mask, rows[name], others[name]) for name, mask in masks.items()}


def taken(x: Inputs, rows: Tensor | np.ndarray) -> Inputs:
    """The rows of prepared inputs at these positions."""
    index = torch.as_tensor(rows)
    return {name: part[index.to(part.device)] for name, part in x.items()}


def taken_of_all(each: Sequence[Inputs], rows: Tensor | np.ndarray) -> list[Inputs]:
    """The rows of every member's inputs at these positions."""
    return [taken(x, rows) for x in each]


def _columns(prepared: Prepared) -> list[str]:
    assert prepared.table is not None
    return [column.name for column in prepared.table.columns]


def _places(prepared: Prepared, known: Mapping[str, int]) -> tuple[Tensor, Tensor]:
    """For each number and each category of a member's inputs, the place of its column."""
    assert prepared.table is not None
    numbers: list[int] = []
    categories: list[int] = []
    for column in prepared.table.columns:
        if column.role == "category":
            categories.append(known[column.name])
        else:
            numbers += [known[column.name]] * NUMBERS[column.role]
    return torch.tensor(numbers, dtype=torch.int64), torch.tensor(categories, dtype=torch.int64)
