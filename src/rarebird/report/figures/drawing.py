"""Shared by all figures: the colors and fonts of the page, a neutral style, and clean SVG text.

Class labels are not drawn but written below a figure, as its key, in the page's own text: there the browser finds
letters of every script, wraps long names and escapes odd ones. Colors are near those of Okabe and Ito (2008), which
color-blind readers can tell apart; lines also differ in their dashes.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = "system-ui,'Segoe UI','Noto Sans','Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif"
# Name of the page's custom property, which has another value in dark mode -> the color that matplotlib draws with.
COLORS = {
    "ink": "#1b2430",
    "muted": "#5b6675",
    "line": "#dde2e9",
    "series-0": "#0072b2",
    "series-1": "#d55e00",
    "series-2": "#009e73",
    "series-3": "#cc79a7",
    "series-4": "#b87900",
    "series-5": "#2f9fd8",
}
SERIES = tuple(name for name in COLORS if name.startswith("series"))
# Dashes in points, one per series; the page draws the key with the same numbers.
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (7, 2, 2, 2), (10, 3), (4, 1.5, 1, 1.5, 1, 1.5))


@dataclass(frozen=True)
class Key:
    """One entry of a figure's key: its text and the look of its line.

    Attributes:
        label: What the line shows; any text.
        is_name: Whether the label is the user's, such as a class.
        color: A name of `COLORS`.
        dashes: Lengths of dashes and gaps in points; empty for a solid line.
        detail: Shown after the label, in a weaker color.
    """

    label: str
    color: str
    dashes: tuple[float, ...] = ()
    detail: str = ""
    is_name: bool = False


@dataclass(frozen=True)
class Drawing:
    """A figure ready for the page.

    Attributes:
        svg: One `svg` element without addresses, dates or scripts; its ids begin with the figure's name.
        key: The meaning of its lines.
        left_out: A sentence on what is not drawn; empty if everything is.
    """

    svg: str
    key: tuple[Key, ...] = ()
    left_out: str = ""


@contextmanager
def figure_style() -> Iterator[Callable[[float, float], Figure]]:
    """Yields a function ``(width, height) -> figure``, in inches. The style is set here, so that neither the user's
    matplotlib settings nor other figures change it."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The font that measures the text may lack letters that the reader's browser has.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "rarebird",
                "font.family": "DejaVu Sans",
                "font.size": 9,
                "text.parse_math": False,
                "text.color": COLORS["ink"],
                "axes.labelcolor": COLORS["ink"],
                "axes.edgecolor": COLORS["muted"],
                "axes.grid": True,
                "axes.axisbelow": True,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "grid.color": COLORS["line"],
                "grid.linewidth": 0.7,
                "xtick.color": COLORS["muted"],
                "ytick.color": COLORS["muted"],
                "lines.linewidth": 1.8,
            }
        )
        yield lambda width, height: Figure(figsize=(width, height), layout="constrained")


def svg_text(figure: Figure, name: str, description: str) -> str:
    """The figure as one `svg` element: ids under `name`, the page's colors and fonts, no metadata, style sheet or
    address."""
    _fix_layout(figure)
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"(font|font-family): ([^;'\"]*)'DejaVu Sans'[^;\"]*", rf"\g<1>: \g<2>{FONTS}", text)
    properties = {color: f"var(--{role}, {color})" for role, color in COLORS.items()}
    text = re.sub(
        r"(fill|stroke): (#[0-9a-f]{6})", lambda match: f"{match[1]}: {properties.get(match[2], match[2])}", text
    )
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    return re.sub(
        r"<svg[^>]*>", lambda _: f'<svg {view[0]} role="img" aria-label="{html.escape(description)}">', text, count=1
    )


def _fix_layout(figure: Figure) -> None:
    """Compute the layout and fix the positions of the axes, rounded: the solver's last bits differ from run to run."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(tuple(round(part, 4) for part in axes.get_position().bounds))
