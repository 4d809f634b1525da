"""New rows beside real ones: the page of `rarebird synthesize`, and the gate's figures as any page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarebird.evaluation.result import SyntheticRows
from rarebird.report.pages.page import rendered, write_page
from rarebird.report.pages.preview import View
from rarebird.report.sections.external_rows import effect_sentence
from rarebird.slots.gate_verdict import ClassVerdict, GateFigure, GateVerdict

# In a run's folder.
PAGE = "synthetic_rows.html"
# Name of a figure -> what it is, in a few words, and its value for real rows.
MEANINGS = {
    "tree_area": "Boosted trees tell new from real rows: area under the ROC curve; 0.5 is not at all",
    "energy": "Energy distance of new from real rows, as a share of the mean distance between them",
    "dependence": "Difference of the columns' rank correlations, root mean square",
    "lost_dependence": "Share of the dependence between columns that is lost: 0 is none, 1 all",
    "marginal": "Largest Kolmogorov-Smirnov distance of a column",
    "coverage": "Share of training rows with a new row near, less that with a real one near",
    "nearness": "How often a new row is nearer to its nearest training row than a real one; 1 is a copier",
    "copies": "Share of copies and near copies of training rows, less that of real rows",
    "outside": "Share of rows with a value beyond those of all training rows, less that of real rows",
    "other_class": "How often a new row looks less like its class than a real one does",
}


@dataclass(frozen=True)
class ShownFigure:
    """A figure as text: what it is, its value, the range for real rows, and whether the row fails by it."""

    meaning: str
    value: str
    real: str
    p_value: str
    fails: bool


@dataclass(frozen=True)
class ShownVerdict:
    """The verdict on one method's rows of a class.

    Attributes:
        method: Its name.
        verdict: The values.
        figures: All figures as text.
    """

    method: str
    verdict: ClassVerdict
    figures: tuple[ShownFigure, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page.

    Attributes:
        name: Of the data.
        sentence: Number, class, method and verdict.
        file: Name of the file with all new rows.
        pairs: New rows, each with its nearest training row and that row's name.
        real: Real rows of the class, for a look at both.
        figure: An `svg` element: the columns of a table; empty for other kinds.
        verdicts: Of the chosen method, and of those that were tried besides.
        columns: Names of a table's columns.
    """

    name: str
    kind: str
    sentence: str
    file: str
    pairs: tuple[tuple[View, View, str], ...]
    real: tuple[View, ...]
    figure: str
    verdicts: tuple[ShownVerdict, ...]
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write(path: Path, page: Page) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part."""
    write_page(path, rendered("synthetic_rows.html", page=page))


def shown(verdict: GateVerdict) -> tuple[ShownVerdict, ...]:
    """A gate's verdict as text, one entry per class."""
    return tuple(ShownVerdict(verdict.method, one, tuple(map(_shown_figure, one.figures))) for one in verdict.classes)


def synthesis_values(found: SyntheticRows | None) -> dict[str, Any] | None:
    """The values of the report's section; None where no generator was tried."""
    if found is None:
        return None
    return {
        "used": found.used,
        "effect": None if found.effect is None else effect_sentence(found.effect),
        "verdicts": [one for verdict in found.verdicts for one in shown(verdict)],
        "page": PAGE if found.page else "",
    }


def _shown_figure(figure: GateFigure) -> ShownFigure:
    return ShownFigure(
        MEANINGS.get(figure.name, figure.name),
        f"{figure.value:.3f}",
        f"{figure.low:.3f} to {figure.high:.3f}",
        "< 0.001" if figure.p_value < 0.0005 else f"{figure.p_value:.2g}",
        figure.fails,
    )
