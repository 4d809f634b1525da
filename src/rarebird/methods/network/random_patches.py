"""Random patches: pieces of the training pictures, where each picture resembles them, and a linear head.

Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning", AISTATS 2011; Thiry, Arbel,
Belilovsky and Oyallon, "The unreasonable effectiveness of patches in deep convolutional kernels methods", ICLR 2021.
Patches are drawn at random from the training pictures, and from these shrunk to a half, a quarter and so on. How much a
picture's own patches resemble each of them, on average over the picture and over its ninths, and the picture shrunk
to few pixels are the features. Only the head learns, best solved in closed form: ``head=ridge``.

*Helps when* pictures are few and there are no pretrained weights: no layer can learn the pictures by heart, and it is
ready in seconds.

*Does not help when* there are tens of thousands of pictures, from which filters can be learned, or classes differ in
how parts are put together: features are means over large regions.

Cost: about ``places * patches * side**2`` multiplications per picture and size, 3 ms for 96 x 96 pixels on one thread.

NOTE[DIFF]: a constant threshold, a quantile of the training patches' outputs, in place of the nearest patches of each
place, so that features do not depend on how many patches there are; several sizes of pictures; patches are drawn, not
clustered. Means of outputs go through a square root, and all features are standardized by the training rows.
"""

# Shape legend: B batch, F features.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.network._patch_bank import PatchBank, drawn_patches, halved
from rarebird.slots.methods import Method
from rarebird.slots.pixels import floats
from rarebird.slots.ranges import Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

KINDS = ("image",)
# Sides of the shrunk picture whose pixels are features.
THUMBNAIL = 8
# Pictures are halved while they hold a patch, and half as much again, in each direction.
ROOM = 1.5
# A feature with a smaller spread tells nothing; scaled features are cut at this size.
FAINT, FARTHEST = 1e-6, 10.0
# Outputs that are computed at once: about as many as fit into a CPU's caches, or enough to fill a GPU.
CPU_CELLS, GPU_CELLS = 2**20, 2**26


class RandomPatches(Method):
    """Settings of the features.

    Attributes:
        patches: Of each size of the pictures; ten features each.
        side: Of a patch, in pixels.
    """

    patches: Annotated[int, Int(64, 1024, log=True)] = Field(default=256, ge=1, le=16_384)
    side: Annotated[int, Int(4, 8)] = Field(default=6, ge=2, le=32)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(patches=16), cls(patches=5, side=3)]

    def build(self, spec: InputSpec) -> nn.Module:
        """The network for pictures of `spec`'s channels and size."""
        return RandomPatchesNetwork(self, spec)


class RandomPatchesNetwork(HeadedNetwork):
    """A bank of patches for each size, scaling, head. ``embed(x)`` is the frozen part: ``{"embedded": (B, F)}``.

    Attributes:
        cells_per_row: Outputs of the largest bank for one picture, which take the memory.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: RandomPatches, spec: InputSpec) -> None:
        super().__init__()
        height, width = spec.height, spec.width
        banks: list[PatchBank] = []
        while not banks or min(height, width) >= ROOM * settings.side:
            banks.append(PatchBank(spec.channels, height, width, settings.patches, settings.side))
            height, width = height // 2, width // 2
        self.banks = nn.ModuleList(banks)
        self.thumbnail = min(spec.height, THUMBNAIL), min(spec.width, THUMBNAIL)
        self.cells_per_row = max(bank.cells_per_row for bank in banks)
        features = spec.channels * self.thumbnail[0] * self.thumbnail[1] + sum(bank.width for bank in banks)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.head = nn.Linear(features, spec.n_outputs)

    @torch.no_grad()
    def fit_frozen(self, x: Inputs, counts: Tensor) -> Inputs:
        """Take patches, thresholds and scales from the training rows, and return their features.

        Args:
            x: All training rows.
            counts: ``(n,)`` how many rows each row counts for.
        """
        pixels, device = x["pixels"], self.mean.device
        banks: list[PatchBank] = list(self.banks)  # type: ignore[arg-type]
        for bank, patches in zip(banks, drawn_patches(banks, pixels, counts), strict=True):
            bank.fit(patches)
        embedded = torch.empty(len(pixels), len(self.mean))
        rows = max(1, (GPU_CELLS if self.mean.is_cuda else CPU_CELLS) // self.cells_per_row)
        for start in range(0, len(pixels), rows):
            shown = floats(pixels[start : start + rows].to(device)).contiguous(memory_format=torch.channels_last)
            embedded[start : start + rows] = self.embed({"pixels": shown})["embedded"].cpu()
        share = (counts.double() / counts.double().sum())[:, None]
        mean = (share * embedded).sum(dim=0)
        spread = (share * (embedded - mean).square()).sum(dim=0).sqrt()
        self.mean.copy_(mean)
        self.scale.copy_((spread > FAINT) / spread.clamp(min=FAINT))
        return {"embedded": embedded}

    @torch.no_grad()
    def embed(self, x: Inputs) -> Inputs:
        """The features of all banks, always in float32."""
        return x if "embedded" in x else {"embedded": self._unscaled(x["pixels"])}

    def features(self, x: Inputs) -> Tensor:
        # A gradient passes to the pixels, by which predictions are explained.
        unscaled = x["embedded"] if "embedded" in x else self._unscaled(x["pixels"])
        return ((unscaled - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)

    def _unscaled(self, pixels: Tensor) -> Tensor:
        """``(B, F)`` the features of all banks, in float32."""
        with torch.autocast(pixels.device.type, enabled=False):
            shown = pixels.float()
            found = [functional.adaptive_avg_pool2d(shown, self.thumbnail).flatten(1)]
            for bank in self.banks:
                found.append(bank(shown))
                shown = halved(shown)
        return torch.cat(found, dim=1)
