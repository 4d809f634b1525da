"""Turn the colors of each picture around the color circle by a random angle.

The "hue" of the color jitter in Szegedy et al., "Going Deeper with Convolutions" (CVPR 2015) and of most photograph
pipelines since. Row i has the chroma of every pixel turned by ``2 pi t_i``, t_i uniform from ``-strength`` to
``strength``, in the YIQ space of NTSC television: with T the matrix from RGB to YIQ and R a rotation of its last two
coordinates, from red over yellow to green, ``x -> clamp(T^-1 R(2 pi t_i) T x, 0, 1)``. Pictures that do not have three
channels have no color and stay as they are.

*Label-safe when:* a class may have any color (cars, clothes, digits), or, at small strengths, where only the color of
the light varies. Not where color decides the class: ripe and unripe, birds and flowers by species, stains.
*Helps when:* white balance, lamps or dyes differ between pictures, sites or devices.
*Does not help when:* pictures are gray, or colors are calibrated.
*Cost:* a small matrix product and one more pass over the pixels.

NOTE[DIFF]: most libraries turn the hue of HSV. A turn in YIQ is one matrix per row (a tenth of the time on a CPU), and
keeps every pixel's luma, where HSV turns a dark blue into a glaring yellow; very strong colors are clipped to 0..1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._strength import WithStrength
from rarebird.slots.ranges import Float

if TYPE_CHECKING:
    from rarebird.slots.protocols import BoundAugmentation, Inputs, TrainStatistics

KINDS = ("image",)
TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


class Hue(WithStrength):
    """Settings.

    Attributes:
        strength: Largest turn of the hue in either direction, as a share of the full circle.
        p: Share of the rows that change.
    """

    strength: Annotated[float, Float(0.01, 0.5, log=True), Field(ge=0, le=0.5)] = 0.05
    p: float = Field(default=1.0, ge=0, le=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; half of the rows, to any hue."""
        return [cls(), cls(strength=0.5, p=0.5)]

    def bound(self, statistics: TrainStatistics) -> BoundAugmentation:
        """The augmentation for batches."""
        if statistics.spec.channels != 3:
            return _rows.unchanged

        def colored(x: Inputs, generator: torch.Generator) -> Tensor:
            return turned(x["pixels"], _rows.symmetric(self.strength, len(x["pixels"]), generator))

        return _rows.ChangedEntry("pixels", self.p, colored)


def turned(pixels: Tensor, turn: Tensor) -> Tensor:
    """`pixels` ``(batch, 3, height, width)`` with their hue turned by `turn` ``(batch,)``, in full circles; kept in
    0..1."""
    return (rotation(turn).to(pixels.dtype) @ pixels.flatten(2)).view(pixels.shape).clamp_(0, 1)


def rotation(turn: Tensor) -> Tensor:
    """``(batch, 3, 3)`` matrices on RGB columns that turn the hue by `turn` ``(batch,)`` and keep the luma; exact for a
    turn of 0."""
    to_yiq = np.array(TO_YIQ)
    # A rotation in the plane of I and Q is cos times the identity there plus sin times the quarter turn.
    plane = np.linalg.inv(to_yiq) @ np.diag([0.0, 1.0, 1.0]) @ to_yiq
    quarter = np.linalg.inv(to_yiq) @ np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]) @ to_yiq
    angle = 2 * math.pi * turn[:, None, None]
    identity = torch.eye(3, device=turn.device, dtype=turn.dtype)
    return (
        identity
        + (angle.cos() - 1) * torch.from_numpy(plane).to(turn)
        + angle.sin() * torch.from_numpy(quarter).to(turn)
    )
