"""Series of made values, and what a network is told of them."""

from __future__ import annotations

import torch

from rarebird.data.spec import InputSpec


def made(n: int, channels: int = 1, length: int = 40, unequal: bool = False) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, length + 1, (n,), generator=source) if unequal else torch.full((n,), length)
    values = torch.randn(n, channels, length, generator=source).cumsum(dim=2)
    return {"values": values * (torch.arange(length) < lengths[:, None])[:, None], "lengths": lengths}


def spec_of(channels: int = 1, length: int = 40) -> InputSpec:
    return InputSpec(kind="series", task="classification", n_outputs=2, channels=channels, length=length)
