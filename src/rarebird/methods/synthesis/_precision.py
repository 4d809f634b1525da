"""The precision in which generators pass rows through their networks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]


def has_fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies numbers of 16 bits faster than those of 32: a GPU, or a CPU with the
    instructions."""
    import torch

    if device != "cpu":
        return bool(torch.cuda.is_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check)() for check in checks if hasattr(torch.cpu, check))


def autocast(precision: Precision, device: str) -> AbstractContextManager[object]:
    """The context of forward passes; ``auto`` depends on the machine alone, so that a training repeats on it."""
    if precision == "float32" or (precision == "auto" and not has_fast_bfloat16(device)):
        return nullcontext()
    import torch

    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
