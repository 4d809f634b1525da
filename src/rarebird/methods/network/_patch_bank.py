"""Patches of the training pictures at one size, and how much each region of a picture resembles them.

Patches are centred and scaled to equal contrast, and whitened by the covariance of the training patches (Coates, Lee
and Ng, AISTATS 2011). A picture's output for a patch of the bank is the product with its own whitened patch at each
place, above a threshold; its means over the whole picture and over each ninth of it are the features.
"""

# Shape legend: B batch, C channels, H height, W width, K patches of the bank, S side of a patch, L places, R regions.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._dilated_kernels import drawn_rows
from rarebird.slots.pixels import floats

# Pictures that are drawn, patches of each, from which the whitening and the thresholds are learned, and pictures at a
# time.
DRAWN, OF_EACH, AT_ONCE = 2_500, 8, 64
# Added to a patch's variance, as a share of the variance of all pixels: an even patch stays even.
EVEN = 0.01
# Added to each variance before whitening, as a share of their mean.
SMALLEST = 0.1
# An output counts where it is above this quantile of the outputs for the training patches.
QUANTILE = 0.9
# A picture of this side is looked at in steps of one pixel, a larger one in larger steps.
FINE_SIDE = 48
# Regions are the whole picture, and its ninths.
GRIDS = (1, 3)


class PatchBank(nn.Module):
    """Patches and their thresholds: ``pixels (B, C, H, W) -> (B, width)``.

    Args:
        channels, height, width: Of the pictures.
        count: Patches of the bank.
        side: Of a patch, at most the pictures' own sides.
    """

    kernels: Tensor
    offsets: Tensor
    even: Tensor
    draws: Tensor
    places: Tensor
    regions: Tensor

    def __init__(self, channels: int, height: int, width: int, count: int, side: int) -> None:
        super().__init__()
        self.side = min(side, height, width)
        self.stride = max(1, round(min(height, width) / FINE_SIDE))
        steps = tuple((length - self.side) // self.stride + 1 for length in (height, width))
        self.register_buffer("regions", regions_of(*steps), persistent=False)
        self.register_buffer("kernels", torch.zeros(count, channels, self.side, self.side))
        self.register_buffer("offsets", torch.zeros(count))
        self.register_buffer("even", torch.ones(()))
        self.register_buffer("draws", torch.rand(DRAWN, dtype=torch.float64), persistent=False)
        self.register_buffer("places", torch.rand(2, DRAWN, OF_EACH), persistent=False)
        self.width = len(self.regions) * count
        self.cells_per_row = steps[0] * steps[1] * count

    @torch.no_grad()
    def fit(self, patches: Tensor) -> None:
        """Take whitening, patches and thresholds from training patches, ``(n, C, S, S)``, in random order."""
        count, shape = len(self.kernels), patches.shape[1:]
        flat = patches.flatten(1).double()
        self.even.copy_(EVEN * flat.var() + torch.finfo(torch.float32).tiny)
        centred = flat - flat.mean(dim=1, keepdim=True)
        scaled = centred * (centred.square().mean(dim=1, keepdim=True) + self.even).rsqrt()
        mean = scaled.mean(dim=0)
        whitening = whitening_of(scaled)
        white = (scaled - mean) @ whitening
        # Even patches resemble nothing, so that the bank is drawn from those with the more pronounced half of shapes.
        sizes = white.norm(dim=1)
        pronounced = torch.nonzero(sizes >= sizes.median()).flatten()
        own = white[pronounced[torch.arange(count, device=patches.device) % len(pronounced)]]
        own = own / own.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        kernels = own @ whitening
        outputs = (scaled - mean) @ kernels.T
        self.offsets.copy_(kernels @ mean + torch.quantile(outputs, QUANTILE, dim=0))
        self.kernels.copy_(kernels.view(count, *shape))

    def forward(self, pixels: Tensor) -> Tensor:
        # Products of matrices are as fast as convolutions here, and of one channel their gradient takes a third.
        patches = functional.unfold(pixels, self.side, stride=self.stride)  # (B, C S S, L)
        centred = patches - patches.mean(dim=1, keepdim=True)
        scaled = centred * (centred.square().mean(dim=1, keepdim=True) + self.even).rsqrt()
        out = functional.linear(scaled.transpose(1, 2), self.kernels.flatten(1), -self.offsets).relu()  # (B, L, K)
        return roots(torch.matmul(self.regions, out)).flatten(1)


def roots(means: Tensor) -> Tensor:
    """Square roots, with the slope 0 at 0, where a patch is found nowhere; 0 below, where there are rounding errors."""
    above = means > 0
    return torch.where(above, torch.where(above, means, 1.0).sqrt(), 0.0)


@torch.no_grad()
def drawn_patches(banks: list[PatchBank], pixels: Tensor, counts: Tensor) -> list[Tensor]:
    """For each bank, of pictures half as large as those of the bank before, ``(DRAWN * OF_EACH, C, S, S)`` patches,
    first one of each picture.

    Args:
        banks: They hold the draws.
        pixels: ``(n, C, H, W)`` pictures, as bytes or as floats in 0..1.
        counts: ``(n,)`` how many rows each row counts for: how likely it is drawn.
    """
    rows, device = drawn_rows(counts, banks[0].draws), banks[0].kernels.device
    found: list[list[Tensor]] = [[] for _ in banks]
    for start in range(0, DRAWN, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        shown = floats(pixels[rows[part].to(pixels.device)].to(device))
        for bank, own in zip(banks, found, strict=True):
            own.append(cut_out(shown, bank.places[:, part], bank.side))
            shown = halved(shown)
    return [torch.cat(own).transpose(0, 1).flatten(0, 1) for own in found]


def cut_out(pixels: Tensor, draws: Tensor, side: int) -> Tensor:
    """``(B, n, C, side, side)`` patches of each picture, at the places that ``draws (2, B, n)`` in 0..1 choose."""
    channels, *sides = pixels.shape[1:]
    across = torch.arange(side, device=pixels.device)
    rows, columns = (
        (draw * (length - side + 1)).long().clamp(max=length - side)[:, :, None] + across
        for draw, length in zip(draws, sides, strict=True)
    )
    each = torch.arange(len(pixels), device=pixels.device)[:, None, None, None, None]
    channel = torch.arange(channels, device=pixels.device)[:, None, None]
    return pixels[each, channel, rows[:, :, None, :, None], columns[:, :, None, None, :]]


def halved(pixels: Tensor) -> Tensor:
    """Pictures of half the sides, rounded down, at least one pixel."""
    return functional.avg_pool2d(pixels, 2) if min(pixels.shape[2:]) > 1 else pixels


def whitening_of(rows: Tensor) -> Tensor:
    """``(d, d)`` by which centred ``rows (n, d)`` get about equal variances in all directions (ZCA)."""
    values, vectors = torch.linalg.eigh(torch.cov(rows.T).reshape(rows.shape[1], -1))
    values = values.clamp(min=0)
    added = SMALLEST * values.mean() + torch.finfo(torch.float32).tiny
    whitening: Tensor = vectors @ ((values + added).rsqrt()[:, None] * vectors.T)
    return whitening


def regions_of(height: int, width: int) -> Tensor:
    """``(R, height * width)`` the weight of each place in the mean of each region."""
    found = []
    for grid in (grid for grid in GRIDS if grid <= min(height, width)):
        row, column = (torch.arange(length) * grid // length for length in (height, width))
        inside = functional.one_hot((row[:, None] * grid + column).flatten(), grid**2).float()
        found.append((inside / inside.sum(dim=0)).T)
    return torch.cat(found)
