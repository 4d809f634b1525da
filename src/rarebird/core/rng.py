"""One seed -> named independent streams, so that one part of a run cannot disturb another part's draws."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator that depends on `seed` and the path of `names` alone.

    Args:
        seed: The recipe's seed, at least 0.
        *names: What the stream is for, for instance ``("resampling", 3)`` for fold 3.
    """
    # The names are the spawn key and not more entropy: there, a trailing 0 (fold 0) is padding, and would give the same
    # stream as the path without it.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=[_key(name) for name in names]))


def torch_stream(seed: int, *names: str | int, device: str = "cpu") -> torch.Generator:
    """The same as a torch generator on `device`."""
    import torch

    generator = torch.Generator(device=device)
    generator.manual_seed(torch_seed(seed, *names))
    return generator


def torch_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for torch that depends on `seed` and the path of `names` alone."""
    return int(stream(seed, *names).integers(0, 2**63 - 1))


def _key(name: str | int) -> int:
    # crc32 and not hash(): Python salts the hash of text in every process.
    return name if isinstance(name, int) else zlib.crc32(name.encode())
