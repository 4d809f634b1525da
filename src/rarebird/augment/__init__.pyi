# Written by `make faces`.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from rarebird.augment.compose import MethodAugmentation
from rarebird.augment.compose import Compose as Compose

__all__ = ["Blur", "Brightness", "CellNoise", "CellSwap", "ChannelDropout", "Compose", "Contrast", "Crop", "Cutmix", "Erase", "FeatureSMOTE", "HorizontalFlip", "Hue", "Jitter", "MagnitudeScale", "MagnitudeWarp", "Mixup", "Noise", "PadCrop", "RandAugment", "Remix", "Rotate", "Saturation", "Scale", "Shear", "TimeFlip", "TimeShift", "TimeWarp", "Translate", "TrivialAugment", "VerticalFlip", "WindowCrop"]

class Blur(MethodAugmentation):
    r"""Blur each picture by a Gaussian of random width.

    Args:
        sigma: Largest standard deviation of the Gaussian, in pixels of the size that the network sees.
        p: Share of the rows that are blurred.
    """

    def __init__(
        self,
        *,
        sigma: float = 1.0,
        p: float = 1.0,
    ) -> None: ...

class Brightness(MethodAugmentation):
    r"""Make each picture brighter or darker by a random shift.

    Args:
        strength: Largest shift up or down, in standard deviations of the training pixels.
        p: Share of the rows that change.
    """

    def __init__(
        self,
        *,
        strength: float = 0.2,
        p: float = 1.0,
    ) -> None: ...

class CellNoise(MethodAugmentation):
    r"""Add Gaussian noise to the numbers of a table, scaled by column.

    Args:
        strength: Standard deviation of the noise, in spreads of the column.
        p: Share of the rows that get noise.
    """

    def __init__(
        self,
        *,
        strength: float = 0.05,
        p: float = 1.0,
    ) -> None: ...

class CellSwap(MethodAugmentation):
    r"""Take some cells of each row of a table from another row of the same class.

    Args:
        rate: Probability of each cell to be the partner's.
        p: Share of the rows that take cells from their partner.
    """

    def __init__(
        self,
        *,
        rate: float = 0.1,
        p: float = 1.0,
    ) -> None: ...

class ChannelDropout(MethodAugmentation):
    r"""Set whole channels of a series to 0, but never all of them.

    Args:
        rate: Probability that a channel of a row becomes 0.
        p: Share of the rows that may lose channels.
    """

    def __init__(
        self,
        *,
        rate: float = 0.2,
        p: float = 1.0,
    ) -> None: ...

class Contrast(MethodAugmentation):
    r"""Make each picture's contrast stronger or weaker; the picture's mean stays the same.

    Args:
        strength: Largest change of the gain up or down; 0.2 draws gains from 0.8 to 1.2.
        p: Share of the rows that change.
    """

    def __init__(
        self,
        *,
        strength: float = 0.2,
        p: float = 1.0,
    ) -> None: ...

class Crop(MethodAugmentation):
    r"""Show the network a random part of each picture at full size (random resized crop).

    Args:
        min_area: Smallest share of the picture's area that is kept.
        ratio: Largest change of the aspect ratio, at least 1.
        p: Share of the rows that are cropped.
    """

    def __init__(
        self,
        *,
        min_area: float = 0.6,
        ratio: float = 1.3333333333333333,
        p: float = 1.0,
    ) -> None: ...

class Cutmix(MethodAugmentation):
    r"""Paste a part of another row into each row, and blend the targets in proportion.

    Args:
        alpha: Parameter of the Beta distribution: 0 pastes nothing, 1 makes all sizes equally likely.
        p: Share of the rows that get a part of another row.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        p: float = 0.5,
    ) -> None: ...

class Erase(MethodAugmentation):
    r"""Blank a random rectangle of some pictures with the training mean (random erasing, cutout).

    Args:
        max_area: Largest share of the picture that is blanked.
        ratio: Largest aspect ratio of the rectangle, upright or lying, at least 1.
        p: Share of the rows that lose a rectangle.
    """

    def __init__(
        self,
        *,
        max_area: float = 0.2,
        ratio: float = 3.3,
        p: float = 0.5,
    ) -> None: ...

class FeatureSMOTE(MethodAugmentation):
    r"""Move each row's features towards those of a near row of its class: SMOTE in the network's own feature space.

    Args:
        neighbors: Nearest rows of the same class in the batch, one of which is drawn.
        p: Share of the rows that move.
    """

    def __init__(
        self,
        *,
        neighbors: int = 5,
        p: float = 0.5,
    ) -> None: ...

class HorizontalFlip(MethodAugmentation):
    r"""Mirror some pictures left to right.

    Args:
        p: Share of the rows that are mirrored.
    """

    def __init__(
        self,
        *,
        p: float = 0.5,
    ) -> None: ...

class Hue(MethodAugmentation):
    r"""Turn the colors of each picture around the color circle by a random angle.

    Args:
        strength: Largest turn of the hue in either direction, as a share of the full circle.
        p: Share of the rows that change.
    """

    def __init__(
        self,
        *,
        strength: float = 0.05,
        p: float = 1.0,
    ) -> None: ...

class Jitter(MethodAugmentation):
    r"""Add Gaussian noise of a random strength to each series.

    Args:
        strength: Largest standard deviation of the noise, in standard deviations of the channel.
        p: Share of the rows that get noise.
    """

    def __init__(
        self,
        *,
        strength: float = 0.1,
        p: float = 1.0,
    ) -> None: ...

class MagnitudeScale(MethodAugmentation):
    r"""Multiply each channel of each series by a random factor.

    Args:
        strength: Standard deviation of the factor about 1.
        p: Share of the rows that are scaled.
    """

    def __init__(
        self,
        *,
        strength: float = 0.1,
        p: float = 1.0,
    ) -> None: ...

class MagnitudeWarp(MethodAugmentation):
    r"""Multiply each series by a smooth random curve.

    Args:
        strength: Standard deviation of the factor about 1, at the knots.
        knots: Number of moments at which a factor is drawn; both ends are among them.
        p: Share of the rows that are warped.
    """

    def __init__(
        self,
        *,
        strength: float = 0.2,
        knots: int = 4,
        p: float = 1.0,
    ) -> None: ...

class Mixup(MethodAugmentation):
    r"""Blend each row, and its target, with another row of the batch.

    Args:
        alpha: Parameter of the Beta distribution: 0 blends nothing, 1 makes all shares equally likely.
        p: Share of the rows that are blended.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.2,
        p: float = 1.0,
    ) -> None: ...

class Noise(MethodAugmentation):
    r"""Add Gaussian noise of a random strength to each picture.

    Args:
        strength: Largest standard deviation of the noise, in standard deviations of the training pixels.
        p: Share of the rows that get noise.
    """

    def __init__(
        self,
        *,
        strength: float = 0.1,
        p: float = 1.0,
    ) -> None: ...

class PadCrop(MethodAugmentation):
    r"""Move each picture by a few whole pixels (padding, then a crop of the old size).

    Args:
        fraction: Largest move as a share of the side, either way, rounded to whole pixels, at least one; 0.125 is 4 pixels of 32.
        p: Share of the rows that are moved.
        fill: What is shown beyond the edge: ``zero`` is black, ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture.
    """

    def __init__(
        self,
        *,
        fraction: float = 0.125,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'zero',
    ) -> None: ...

class RandAugment(MethodAugmentation):
    r"""Change each picture by a few random operations, all of one strength (RandAugment).

    Args:
        number: Operations per row.
        magnitude: Strength of each, as a share of its own range.
        flips: Whether a left-right flip is one of the operations; a mirrored chest X-ray or letter changes its meaning.
        p: Share of the rows that change.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        number: int = 2,
        magnitude: float = 0.3,
        flips: bool = False,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class Remix(MethodAugmentation):
    r"""Mixup with targets that favor the rarer class of the two rows.

    Args:
        alpha: Parameter of the Beta distribution: 0 blends nothing, 1 makes all shares equally likely.
        kappa: A class is common next to another if it has at least this many times its rows.
        tau: Share of a blend below which the common row has no part in the target; 0 is `mixup`.
        p: Share of the rows that are blended.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        kappa: float = 3.0,
        tau: float = 0.5,
        p: float = 1.0,
    ) -> None: ...

class Rotate(MethodAugmentation):
    r"""Turn each picture by a small random angle.

    Args:
        degrees: Largest angle in either direction, in degrees.
        p: Share of the rows that are turned.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        degrees: float = 10.0,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class Saturation(MethodAugmentation):
    r"""Make the colors of each picture stronger or paler.

    Args:
        strength: Largest change of the gain up or down; 0.2 draws gains from 0.8 to 1.2.
        p: Share of the rows that change.
    """

    def __init__(
        self,
        *,
        strength: float = 0.2,
        p: float = 1.0,
    ) -> None: ...

class Scale(MethodAugmentation):
    r"""Make each picture a little larger or smaller about its center.

    Args:
        strength: Largest growth, 0.1 for 10 %; the largest shrinkage is its inverse.
        p: Share of the rows that are scaled.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        strength: float = 0.1,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class Shear(MethodAugmentation):
    r"""Slant each picture along x and along y by small random angles.

    Args:
        degrees: Largest angle in either direction, in degrees.
        p: Share of the rows that are slanted.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        degrees: float = 5.0,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class TimeFlip(MethodAugmentation):
    r"""Run some series backwards.

    Args:
        p: Share of the rows that are reversed.
    """

    def __init__(
        self,
        *,
        p: float = 0.5,
    ) -> None: ...

class TimeShift(MethodAugmentation):
    r"""Move each series along time by a random number of steps.

    Args:
        fraction: Largest move in either direction, as a share of the series' own length.
        p: Share of the rows that are moved.
    """

    def __init__(
        self,
        *,
        fraction: float = 0.1,
        p: float = 1.0,
    ) -> None: ...

class TimeWarp(MethodAugmentation):
    r"""Stretch and squeeze each series along time: faster in some parts, slower in others.

    Args:
        strength: Standard deviation of the logarithm of the speed.
        knots: Number of moments at which a speed is drawn; both ends are among them.
        p: Share of the rows that are warped.
    """

    def __init__(
        self,
        *,
        strength: float = 0.2,
        knots: int = 4,
        p: float = 1.0,
    ) -> None: ...

class Translate(MethodAugmentation):
    r"""Move each picture by a random share of its width and height.

    Args:
        fraction: Largest move in either direction, as a share of the side.
        p: Share of the rows that are moved.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        fraction: float = 0.1,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class TrivialAugment(MethodAugmentation):
    r"""Change each picture by one random operation of random strength (TrivialAugment).

    Args:
        magnitude: Largest strength, as a share of each operation's own range.
        flips: Whether a left-right flip is one of the operations; a mirrored chest X-ray or letter changes its meaning.
        p: Share of the rows that change.
        fill: What is shown beyond the edge: ``edge`` repeats the edge's pixels, ``reflect`` mirrors the picture, ``zero`` is black.
    """

    def __init__(
        self,
        *,
        magnitude: float = 1.0,
        flips: bool = False,
        p: float = 1.0,
        fill: Literal["edge", "reflect", "zero"] = 'edge',
    ) -> None: ...

class VerticalFlip(MethodAugmentation):
    r"""Mirror some pictures top to bottom.

    Args:
        p: Share of the rows that are mirrored.
    """

    def __init__(
        self,
        *,
        p: float = 0.5,
    ) -> None: ...

class WindowCrop(MethodAugmentation):
    r"""Show the network a random window of each series, stretched to the whole length.

    Args:
        min_share: Smallest share of the series' own length that is kept.
        p: Share of the rows that are cropped.
    """

    def __init__(
        self,
        *,
        min_share: float = 0.8,
        p: float = 1.0,
    ) -> None: ...
