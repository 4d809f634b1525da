"""Amounts as a page shows them: over a picture, behind a curve, as bars of columns, and curves of their effect."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rarebird.report.figures.drawing import COLORS, figure_style, svg_text
from rarebird.report.pages.explanation import Bar
from rarebird.report.wording import number

if TYPE_CHECKING:
    from rarebird.explanation.effects import ColumnEffect

# Sides of a picture on the page; above the first, the picture is compressed with a small loss.
LOSSLESS, MOST_SIDE = 64, 160
# Colors of what speaks for a class and against it, as red, green and blue in 0..1.
FOR, AGAINST = (0.84, 0.37, 0.0), (0.0, 0.45, 0.70)
# The share of the places whose amounts are below the strongest color, so that one pixel does not pale all others.
STRONGEST = 0.995
# Channels of a series that are drawn, and the box of each.
MOST_CHANNELS, WIDTH, HEIGHT = 4, 300, 70
# Points of a curve, and strips of color behind it.
MOST_POINTS = 300


def over_picture(pixels: np.ndarray, amounts: np.ndarray) -> str:
    """A picture as a data address: gray, with orange where the amounts are above 0, and blue where they are below.

    Args:
        pixels: ``(channels, height, width)`` in 0..1.
        amounts: ``(height, width)``.
    """
    gray = np.broadcast_to(0.25 + 0.6 * pixels.mean(axis=0), (3, *amounts.shape))
    strength = np.clip(np.abs(amounts) / strongest(amounts), 0, 1)
    color = np.where(amounts > 0, np.reshape(FOR, (3, 1, 1)), np.reshape(AGAINST, (3, 1, 1)))
    return picture(gray * (1 - 0.85 * strength) + color * 0.85 * strength)


def picture(pixels: np.ndarray) -> str:
    """A picture ``(channels, height, width)`` in 0..1 as a data address, reduced to `MOST_SIDE` where it is larger."""
    from PIL import Image

    shown = pixels if len(pixels) in (1, 3) else pixels.mean(axis=0, keepdims=True)
    array = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if max(image.size) > MOST_SIDE:
        image.thumbnail((MOST_SIDE, MOST_SIDE))
    buffer = io.BytesIO()
    lossless = max(image.size) <= LOSSLESS
    image.save(buffer, "PNG" if lossless else "JPEG", **({} if lossless else {"quality": 88}))
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{data}"


def behind_curve(values: np.ndarray, amounts: np.ndarray, about: str) -> str:
    """An `svg` element: each channel of a series, in front of strips of color.

    Args:
        values: ``(channels, length)``; only the first few channels are drawn.
        amounts: ``(channels or 1, length)``.
        about: What the element shows, for those who do not see it.
    """
    channels, length = min(len(values), MOST_CHANNELS), values.shape[1]
    top, parts = strongest(amounts), []
    for channel in range(channels):
        own = amounts[channel if len(amounts) > 1 else 0]
        parts += _strips(own / top, channel * HEIGHT)
        parts.append(_line(values[channel], channel * HEIGHT, length))
    view = f'viewBox="0 0 {WIDTH} {channels * HEIGHT}"'
    return f'<svg {view} role="img" aria-label="{_escaped(about)}">{"".join(parts)}</svg>'


def bars(names: Sequence[str], amounts: np.ndarray, values: Sequence[str]) -> tuple[Bar, ...]:
    """Bars to both sides of the middle, as long as the amounts.

    Args:
        names: The columns.
        amounts: ``(columns,)``.
        values: The row's own values as texts.
    """
    top = float(np.abs(amounts).max(initial=0.0)) or 1.0
    found = []
    for name, amount, value in zip(names, amounts.tolist(), values, strict=True):
        ends = sorted((50.0, 50 + 50 * amount / top))
        start, end = (round(place, 2) for place in ends)
        found.append(Bar(name=name, text=signed(amount), start=start, end=end, value=value, against=amount < 0))
    return tuple(found)


def importance_bars(
    names: Sequence[str], values: np.ndarray, ends: np.ndarray, texts: Sequence[str] | None = None
) -> tuple[Bar, ...]:
    """Bars from 0, with intervals.

    Args:
        names: Groups of columns.
        values: ``(n,)`` their importance.
        ends: ``(n, 2)`` of the intervals.
        texts: Of the amounts; None: the value with its interval.
    """
    low, high = min(0.0, float(ends.min(initial=0.0))), max(float(ends.max(initial=0.0)), 1e-12)

    def place(amount: float) -> float:
        return round(100 * (amount - low) / (high - low), 2)

    found = []
    for row, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        first, last = ends[row].tolist()
        spread = (last - first) / 2
        text = f"{number(value, spread)} [{number(first, spread)}, {number(last, spread)}]"
        sides = sorted((place(0.0), place(value)))
        found.append(
            Bar(
                name=name,
                text=text if texts is None else texts[row],
                start=sides[0],
                end=sides[1],
                low=place(first),
                high=place(last),
                against=value < 0,
            )
        )
    return tuple(found)


def effect_svg(effect: ColumnEffect, place: int, about: str) -> str:
    """An `svg` element: the effect of a column with its band, or a dot for each category.

    Args:
        effect: The effect.
        place: Its number on the page.
        about: What it shows.
    """
    with figure_style() as new_figure:
        figure = new_figure(3.4, 2.3)
        axes = figure.subplots()
        axes.axhline(0, color=COLORS["muted"], linewidth=0.8)
        if effect.accumulated:
            axes.fill_between(
                effect.places,
                effect.effect - effect.error,
                effect.effect + effect.error,
                color=COLORS["series-0"],
                alpha=0.2,
                linewidth=0,
            )
            axes.plot(effect.places, effect.effect, color=COLORS["series-0"], marker=".", markersize=3)
        else:
            positions = np.arange(len(effect.places))
            axes.errorbar(positions, effect.effect, effect.error, fmt="o", markersize=4, color=COLORS["series-0"])
            axes.set_xticks(positions, [str(one)[:12] for one in effect.places], rotation=40, ha="right", fontsize=7)
        axes.tick_params(labelsize=7)
        return svg_text(figure, f"effect-{place}", about)


def strongest(amounts: np.ndarray) -> float:
    """The size of an amount that gets the strongest color."""
    size = np.abs(amounts)
    return float(np.quantile(size, STRONGEST)) or float(size.max(initial=0.0)) or 1.0


def signed(amount: float) -> str:
    """An amount with its sign."""
    text = number(amount)
    return text if text.startswith("-") else f"+{text}"


def _strips(shares: np.ndarray, top: int) -> list[str]:
    """Rectangles of color; neighboring steps share one where the series is long."""
    count = min(len(shares), MOST_POINTS)
    edges = np.linspace(0, len(shares), count + 1).astype(int)
    parts = []
    for place, (start, end) in enumerate(itertools.pairwise(edges)):
        share = float(shares[start:end].mean())
        strength = min(1.0, abs(share))
        if strength >= 0.02:
            kind = "for" if share > 0 else "against"
            x, width = WIDTH * place / count, WIDTH / count
            box = f'x="{x:.1f}" y="{top}" width="{width + 0.3:.1f}" height="{HEIGHT}"'
            parts.append(f'<rect class="{kind}" {box} fill-opacity="{0.75 * strength:.2f}"/>')
    return parts


def _line(values: np.ndarray, top: int, length: int) -> str:
    at = np.unique(np.linspace(0, length - 1, min(length, MOST_POINTS)).astype(int))
    low, high = float(values.min()), float(values.max())
    x = (at + 0.5) * (WIDTH / length)
    y = top + 4 + (HEIGHT - 8) * (1 - (values[at] - low) / max(high - low, 1e-12))
    points = " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
    return f'<polyline points="{points}"/>'


def _escaped(text: str) -> str:
    import html

    return html.escape(text, quote=True)
