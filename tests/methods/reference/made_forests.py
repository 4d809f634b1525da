"""Rows and forests that the tests of extra trees share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.reference.extra_trees import ExtraTrees, Forest

MANY = 40
SPEC = InputSpec(
    kind="table", task="classification", n_outputs=3, n_numbers=3, bins=((0.0, 1.0),) * 3, cardinalities=(4, MANY)
)
VALUES = SPEC.model_copy(update={"task": "regression", "n_outputs": 1})


def inputs(n: int = 150, seed: int = 0) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(n, 3, generator=generator)
    missing = (torch.rand(n, 3, generator=generator) < 0.2).float()
    codes = (numbers[:, 0] + 0.5 * torch.randn(n, generator=generator)).ge(0).long() + (numbers[:, 1] > 1).long()
    categories = torch.stack(
        [torch.randint(4, (n,), generator=generator), torch.randint(MANY, (n,), generator=generator)], dim=1
    )
    return {"numbers": numbers * (1 - missing), "missing": missing, "categories": categories}, codes.numpy()


def grown(rounds: int = 7, *, n: int = 150, weight: np.ndarray | None = None, seed: int = 3, **settings: Any) -> Forest:
    x, codes = inputs(n)
    weights = torch.ones(n) if weight is None else torch.from_numpy(weight).float()
    return ExtraTrees(**settings).fit(x, torch.eye(3)[codes], weights, SPEC, rounds=rounds, seed=seed, threads=1)
