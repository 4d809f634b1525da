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
# The code of 0 among signed ones.
ZERO = 127
# Fractions of the multiples of the first are even over steps, of the second over the numbers of a block.
OVER_STEPS, OVER_NUMBERS = 0.6180339887498949, 0.7548776662466927


@cache
def codes(signed: bool, device: torch.device) -> Tensor:
    """``(256,)`` ascending values of the codes, in -1..1 or in 0..1.

    An exponent's values lie evenly between .1 and 1 times a power of ten; each has twice as many as the one below.
    """
    sizes = _sizes(signed)
    values = torch.cat([-sizes[1:-1].flip(0), sizes]) if signed else sizes
    return values.float().to(device)


@cache
def _sizes(signed: bool) -> Tensor:
    """Ascending absolute values of the codes, from 0 to 1."""
    positive = []
    for place, count in enumerate(_counts(signed)):
        edges = torch.linspace(0.1, 1, count + 1, dtype=torch.float64)
        positive.append((edges[:-1] + edges[1:]) / 2 * 10.0 ** (place - EXPONENTS + 1))
    return torch.cat([torch.zeros(1).double(), *positive, torch.ones(1).double()])


def _counts(signed: bool) -> list[int]:
    """How many positive values each exponent has."""
    return [2 ** (place if signed else place + 1) for place in range(EXPONENTS)]


@cache
def _lines(signed: bool, device: torch.device) -> Tensor:
    """``(3, exponents)``: the place of a number x among the sizes of its exponent is ``slope x - start``, and before
    these are `before` sizes. A search would take ten times as long."""
    counts = torch.tensor(_counts(signed), dtype=torch.float64)
    slope = 10.0 ** torch.arange(EXPONENTS - 1, -1, -1, dtype=torch.float64) * counts / 0.9
    before = counts.cumsum(0) - counts + 1
    return torch.stack([slope, counts / 9 + 0.5, before]).float().to(device)


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
    shares = blocks.abs() / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    sizes, place = _sizes(signed).float().to(values.device), _place_below(shares, signed)
    low, high = _chosen(sizes, place), _chosen(sizes, place + 1)
    numbers = torch.arange(BLOCK, device=values.device, dtype=torch.float64)
    even = ((numbers * OVER_NUMBERS + step * OVER_STEPS) % 1).float()
    goes_up = (shares - low) > even * (high - low)
    if signed:
        place = place + goes_up
        # The code of -1 is that of the largest size below 1.
        place = torch.where(blocks < 0, ZERO - place.clamp(max=ZERO), ZERO + place)
    else:
        place = place + (goes_up | ((place == 0) & (shares > 0)))
    return place.to(torch.uint8).view(-1)[: len(values)], scales


def unpacked(packed_codes: Tensor, scales: Tensor, signed: bool) -> Tensor:
    """``(n,)`` float32 numbers from codes and scales."""
    values = codes(signed, packed_codes.device).index_select(0, packed_codes.int())
    return values * scales.repeat_interleave(BLOCK)[: len(values)]


def _place_below(shares: Tensor, signed: bool) -> Tensor:
    """The place of the largest size that is not above each number in 0..1, and is not the last."""
    slope, start, before = _lines(signed, shares.device)
    exponent = (shares.log10().floor() + EXPONENTS).clamp(0, EXPONENTS - 1).int()
    within = (shares * _chosen(slope, exponent) - _chosen(start, exponent)).floor()
    return (_chosen(before, exponent) + within).clamp(min=0).int()


def _chosen(values: Tensor, places: Tensor) -> Tensor:
    return values.index_select(0, places.view(-1)).view(places.shape)
