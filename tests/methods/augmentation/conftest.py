"""What the tests of augmentations share: statistics of a kind, a seeded generator, and a method applied to one
entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rarebird.data.spec import InputSpec
from rarebird.slots.protocols import TrainStatistics


@pytest.fixture
def generator() -> torch.Generator:
    """A generator with a fixed seed."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def pictures(generator: torch.Generator) -> Tensor:
    """``(400, 2, 12, 20)`` random pictures that are not square."""
    return torch.rand(400, 2, 12, 20, generator=generator)


@pytest.fixture
def augment(generator: torch.Generator) -> Callable[..., tuple[dict[str, Tensor], Tensor, Tensor]]:
    """``augment(method, x, y, weight, **spec)``: the augmented batch; targets and weights are ones where they are left
    out."""

    def run(
        method: Any, x: dict[str, Tensor], y: Tensor | None = None, weight: Tensor | None = None, **spec: Any
    ) -> Any:
        kind = "image" if "pixels" in x else "series" if "values" in x else "table"
        n = len(next(iter(x.values())))
        statistics = TrainStatistics(InputSpec(kind=kind, task="classification", n_outputs=2, **spec), np.array([3, 1]))
        y = torch.ones(n, 1) if y is None else y
        return method.bind(statistics)(x, y, torch.ones(n) if weight is None else weight, generator)

    return run
