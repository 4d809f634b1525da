"""The page of `rarebird preview`: one HTML file without script that needs no other file. Pictures are PNG, curves are
SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rarebird.report.figures.drawing import SERIES
from rarebird.report.pages.page import rendered, write_page

# Box of a curve, and its largest number of points; the eye could not tell more of them apart.
WIDTH, HEIGHT, MOST_POINTS = 200, 80, 400


@dataclass(frozen=True)
class View:
    """One row as the page shows it, by one of `picture`, `curve` and `cells`.

    Attributes:
        target: Its class, the shares of several classes, or its value.
        target_changed: Whether the target differs from the original's.
        picture: A PNG as a data address, which is part of the page.
        curve: An `svg` element.
        cells: Texts of a table row.
        changed: Which of the cells differ from the original's.
        sources: The other rows that it was mixed with, as ``(name, original)``.
    """

    target: str
    target_changed: bool = False
    picture: str = ""
    curve: str = ""
    cells: tuple[str, ...] = ()
    changed: tuple[bool, ...] = ()
    sources: tuple[tuple[str, View], ...] = ()


@dataclass(frozen=True)
class ShownRow:
    """A row before and after augmentation.

    Attributes:
        name: The user's name of the row.
        views: The original, and after it the augmented ones.
    """

    name: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class Resampled:
    """The effect of resampling.

    Attributes:
        counts: ``(class, rows before, rows after)``.
        sentences: Further remarks.
        groups: Heading -> rows of that kind (kept, new, removed).
    """

    counts: tuple[tuple[str, int, int], ...]
    sentences: tuple[str, ...]
    groups: dict[str, tuple[ShownRow, ...]]


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        augmentation, resampling: The methods with their settings, as in a recipe.
        columns: Names of a table's columns.
    """

    name: str
    kind: str
    seed: int
    augmentation: tuple[str, ...] = ()
    resampling: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[ShownRow, ...] = ()
    resampled: Resampled | None = None
    notes: tuple[str, ...] = field(default=())


def write(path: Path, page: Page) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    write_page(path, rendered("preview.html", page=page))


def picture(pixels: np.ndarray) -> str:
    """A picture as the data address of a PNG.

    Args:
        pixels: ``(channels, height, width)`` in 0..1; for other numbers of channels than 1, 3 and 4, their mean is
            shown.
    """
    from PIL import Image

    shown = pixels if len(pixels) in (1, 3, 4) else pixels.mean(axis=0, keepdims=True)
    array = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def curve(values: np.ndarray, low: float, high: float, behind: np.ndarray | None = None) -> str:
    """A series as an `svg` element, a line per channel.

    Args:
        values: ``(channels, length)``; only the first six channels are drawn.
        low, high: The values at the lower and the upper edge.
        behind: ``(channels, its length)``, drawn in gray behind it, on the same scale of time.
    """
    length = max(values.shape[1], 0 if behind is None else behind.shape[1])
    lines = [
        _line(channel, length, low, high, "behind") for channel in ([] if behind is None else behind[: len(SERIES)])
    ]
    lines += [_line(channel, length, low, high, color) for channel, color in zip(values, SERIES, strict=False)]
    attributes = f'class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" preserveAspectRatio="none"'
    return f"<svg {attributes}>{''.join(lines)}</svg>"


def _line(channel: np.ndarray, length: int, low: float, high: float, color: str) -> str:
    at = np.unique(np.linspace(0, len(channel) - 1, min(len(channel), MOST_POINTS)).astype(int))
    x = at * (WIDTH / max(length - 1, 1))
    y = HEIGHT * (1 - (channel[at] - low) / max(high - low, 1e-12))
    points: Sequence[str] = [f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True)]
    return f'<polyline class="{color}" points="{" ".join(points)}"/>'
