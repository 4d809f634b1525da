"""Numbers of an optimizer in 8 bits: each block of 2048 has its own scale, and the codes are fine near zero.

Dettmers, Lewis, Shleifer and Zettlemoyer, "8-bit optimizers via block-wise quantization", ICLR 2022; Dettmers, "8-bit
approximations for parallelism in deep learning", ICLR 2016, for the codes: a decimal exponent and a linear fraction, so
that numbers of seven decades have codes.

NOTE[DIFF]: a number between two codes goes to the upper one as often as it is nearer to it, by a sequence that is even
over the steps (multiples of the golden ratio) and the same on every machine. Rounded to the nearest code, as in the
paper, a running mean that moves by a thousandth in a step would stay where it is. A number above zero never becomes
zero, by which a step would be divided.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

# Numbers that share a scale, as in the paper.
BLOCK = 2048
EXPONENTS = 7
# Fractions of the multiples of the first are even over steps, of the second over the numbers of a block.
OVER_STEPS, OVER_NUMBERS = 0.6180339887498949, 0.7548776662466927


@cache
def codes(signed: bool, device: torch.device) -> Tensor:
    """``(256,)`` ascending values of the codes, in -1..1 or in 0..1.

    An exponent's values lie evenly between .1 and 1 times a power of ten; each has twice as many as the one below.
    """
    positive: list[Tensor] = []
    for place in range(EXPONENTS):
        count = 2 ** (place if signed else place + 1)
        edges = torch.linspace(0.1, 1, count + 1, dtype=torch.float64)
        positive.append((edges[:-1] + edges[1:]) / 2 * 10.0 ** (place - EXPONENTS + 1))
    values = torch.cat(positive)
    both = torch.cat([-values, values]) if signed else values
    return torch.cat([both, both.new_tensor([0.0, 1.0])]).sort().values.float().to(device)


def packed(values: Tensor, signed: bool, step: int) -> tuple[Tensor, Tensor]:
    """Numbers as codes and scales.

    Args:
        values: ``(n,)`` float32.
        signed: Whether numbers may be below 0.
        step: The step of the optimizer, which decides how numbers are rounded.

    Returns:
        ``(n,)`` uint8 codes, and ``(blocks,)`` float32 scales.
    """
    blocks = torch.nn.functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1)
    shares = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    known = codes(signed, values.device)
    below = (torch.bucketize(shares, known, right=True) - 1).clamp(0, len(known) - 2)
    low, high = known[below], known[below + 1]
    numbers = torch.arange(BLOCK, device=values.device, dtype=torch.float64)
    even = ((numbers * OVER_NUMBERS + step * OVER_STEPS) % 1).float()
    goes_up = (shares - low) > even * (high - low)
    if not signed:
        goes_up |= (below == 0) & (shares > 0)
    return (below + goes_up).to(torch.uint8).view(-1)[: len(values)], scales


def unpacked(packed_codes: Tensor, scales: Tensor, signed: bool) -> Tensor:
    """``(n,)`` float32 numbers from codes and scales."""
    values = codes(signed, packed_codes.device)[packed_codes.int()]
    return values * scales.repeat_interleave(BLOCK)[: len(values)]
