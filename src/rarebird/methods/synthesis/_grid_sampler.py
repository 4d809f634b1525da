"""What the fitted generators of grids share: how they are saved, and how networks get their weights from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Source
from rarebird.methods.synthesis._grids import GridShape, Templates, raw_rows

TEMPLATES = "templates."
NETWORK = "network."
# Rows that are made at a time.
BATCH = 256


@dataclass(frozen=True, eq=False)
class GridSampler:
    """A generator of grids; a subclass makes the cells.

    Attributes:
        shape: The grid.
        n_classes: Classes of the data.
        templates: Lengths and gaps of series.
        network: Makes the cells, in evaluation mode.
    """

    shape: GridShape
    n_classes: int
    templates: Templates
    network: nn.Module

    def cells(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Scaled cells ``(B, C, H, W)`` for classes ``(B,)``."""
        raise NotImplementedError

    def own_arrays(self) -> dict[str, np.ndarray]:
        """Further arrays of a subclass."""
        return {}

    @torch.no_grad()
    def rows(self, code: int, n: int, draw: np.random.Generator) -> Source:
        """`n` raw rows of a class."""
        generator = torch.Generator()
        generator.manual_seed(int(draw.integers(2**63 - 1)))
        made = [
            self.cells(torch.full((min(BATCH, n - start),), code), generator).float().cpu()
            for start in range(0, n, BATCH)
        ]
        empty = torch.empty((0, self.shape.channels, *self.shape.sides))
        return raw_rows(self.shape, torch.cat([*made, empty]), self.templates, code, draw)

    def state(self) -> dict[str, Any]:
        """Sizes, as plain values."""
        return {"shape": self.shape.model_dump(mode="json")}

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights, and what new series take from training rows."""
        weights = {
            NETWORK + name: tensor.detach().float().cpu().contiguous().numpy()
            for name, tensor in self.network.state_dict().items()
        }
        templates = {TEMPLATES + name: array for name, array in self.templates.arrays().items()}
        return {**weights, **templates, **self.own_arrays()}

    def moved(self, device: str) -> Self:
        """The same sampler on a device."""
        self.network.to(device)
        return self


def restored_parts(
    like: Dataset,
    state: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    build: Callable[[GridShape, int], nn.Module],
) -> dict[str, Any]:
    """The fields of a `GridSampler` from what it was saved as.

    Args:
        like: Rows of the same kind and classes.
        state, arrays: What `GridSampler.state` and `GridSampler.arrays` gave.
        build: Shape and number of classes -> the network.

    Raises:
        DataError: They do not fit each other.
    """
    try:
        shape = GridShape(**state["shape"])
    except (ValidationError, KeyError, TypeError):
        raise DataError("The state of the saved generator has no shape of its grids; make it again.") from None
    per_channel = [getattr(shape, name) for name in ("center", "spread", "low", "high", "whole")]
    if shape.kind != like.kind or any(len(values) != shape.channels for values in per_channel):
        raise DataError(f"The saved generator does not fit data of kind {like.kind!r}; make it again.")
    with torch.device("meta"):
        network = build(shape, like.n_classes)
    expected = {NETWORK + name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: array.shape for name, array in arrays.items() if name.startswith(NETWORK)}
    if given != expected:
        raise DataError("The weights of the saved generator do not fit its settings; make it again.")
    weights = {name: torch.from_numpy(np.array(arrays[NETWORK + name], np.float32)) for name in network.state_dict()}
    network = build(shape, like.n_classes)
    network.load_state_dict(weights)
    try:
        templates = {part.name: arrays[TEMPLATES + part.name] for part in fields(Templates)}
    except KeyError:
        raise DataError("The saved generator lacks the lengths of its series; make it again.") from None
    return {
        "shape": shape,
        "n_classes": like.n_classes,
        "templates": Templates.of_arrays(templates, shape, like.n_classes),
        "network": network.requires_grad_(False).eval().to(memory_format=torch.channels_last),
    }
