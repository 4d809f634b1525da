"""Rows of a table as the inputs and outputs of networks: normal scores, and an axis for each category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.row_counts import rows_of
from rarebird.methods.synthesis._table_codec import TableCodec

# Scores beyond are not made: the largest of a thousand rows is about 3.
FARTHEST = 4.0
NETWORK, CODEC = "network.", "codec "
# Hidden units of a table's networks for each unit of a method's `width`.
UNITS = 4


@dataclass(frozen=True, eq=False)
class TableRows:
    """Training rows for a network.

    Attributes:
        codec: Raw rows <-> scores and codes.
        cells: ``(n, width)`` float32: scores, and after them 0 or 1 for each category of each column.
        known: ``(n, n_numbers)`` float32, 1 where a number is not missing.
        classes: ``(n,)`` class codes.
        counts: ``(n,)`` how many rows each row counts for.
    """

    codec: TableCodec
    cells: Tensor
    known: Tensor
    classes: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, train: Dataset, draw: np.random.Generator) -> TableRows:
        """The training rows; `draw` spreads equal values over their ranks."""
        codec = TableCodec.fit(train)
        rows = codec.encode(train, draw)
        axes = [np.eye(size)[column] for column, size in zip(rows.codes.T, codec.cardinalities, strict=True)]
        cells = np.concatenate([rows.numbers, *axes], axis=1).astype(np.float32)
        known = torch.from_numpy(rows.known.astype(np.float32))
        return cls(codec, torch.from_numpy(cells), known, train.codes, rows_of(train.weights))


def width_of(codec: TableCodec) -> int:
    """Cells of a row."""
    return len(codec.numbers) + sum(codec.cardinalities)


def blocks(codec: TableCodec) -> list[slice]:
    """The places of each category column's axes."""
    found, start = [], len(codec.numbers)
    for size in codec.cardinalities:
        found.append(slice(start, start + size))
        start += size
    return found


def raw(codec: TableCodec, scores: np.ndarray, shares: list[np.ndarray], draw: np.random.Generator) -> Frame:
    """Raw rows of scores ``(n, n_numbers)`` and of ``(n, cardinality)`` shares of each column's categories, from which
    one is drawn."""
    codes = np.zeros((len(scores), len(shares)), np.int64)
    for place, share in enumerate(shares):
        above = share.cumsum(axis=1) > draw.random((len(scores), 1)) * share.sum(axis=1, keepdims=True)
        codes[:, place] = above.argmax(axis=1)
    return codec.decode(np.clip(scores, -FARTHEST, FARTHEST), codes, draw)


class Perceptron(nn.Module):
    """Layers with residual connections: a row and the class -> outputs ``(batch, outputs)``.

    Args:
        inputs: Cells of a row.
        n_classes: Classes, each an input of its own.
        hidden: Units of a layer.
        outputs: Outputs.
        dropout: Rate.
    """

    def __init__(self, inputs: int, n_classes: int, hidden: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.of_class = nn.Embedding(n_classes, hidden)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden))
            for _ in range(3)
        )
        self.last = nn.Sequential(nn.LayerNorm(hidden), nn.SiLU(), nn.Linear(hidden, outputs))

    def forward(self, cells: Tensor, classes: Tensor, more: Tensor | None = None) -> Tensor:
        features = self.first(cells) + self.of_class(classes)
        features = features if more is None else features + more
        for layer in self.layers:
            features = features + layer(features)
        outputs: Tensor = self.last(features)
        return outputs


def network_arrays(codec: TableCodec, network: nn.Module) -> dict[str, np.ndarray]:
    """Arrays of the columns and of the weights."""
    weights = {NETWORK + name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    return {f"{CODEC}{name}": values for name, values in codec.arrays().items()} | weights


def restored_codec(like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TableCodec:
    """The columns from JSON and arrays."""
    within = {name.removeprefix(CODEC): values for name, values in arrays.items() if name.startswith(CODEC)}
    return TableCodec.restore(like, state["codec"], within)


def with_weights(network: nn.Module, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """The network with the weights among the arrays, for drawing.

    Raises:
        DataError: They are those of another network.
    """
    expected = {NETWORK + name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(array.shape) for name, array in arrays.items() if name.startswith(NETWORK)}
    if given != expected:
        raise DataError("the weights do not fit its settings")
    network.load_state_dict(
        {name: torch.from_numpy(np.array(arrays[NETWORK + name], np.float32)) for name in network.state_dict()}
    )
    return network.requires_grad_(False).eval()
