"""The page of `rarebird compress`: what each step saves, and what it costs each class, in one HTML file without
script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rarebird.evaluation.estimate import Estimate
from rarebird.report.pages.page import rendered, write_page
from rarebird.report.sections.cells import cell
from rarebird.report.wording import number, wording

FIGURES = ("balanced_accuracy", "log_loss", "expected_calibration_error", "r2", "mean_absolute_error")


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Write the page; a reader of `path` sees the old file or the new one, never a part.

    Args:
        path: The file.
        found: The content of ``compression.json``.
    """
    steps = [_step(one) for one in found["steps"]]
    names = [name for name in FIGURES if all(name in one["metrics"] for one in found["steps"])]
    titles = [wording(name).title for name in names]
    write_page(path, rendered("compression.html", found=found, steps=steps, names=names, titles=titles))


def _step(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one["step"],
        "kept": one["kept"],
        "bytes": one["bytes"],
        "parameters": one["parameters"],
        "milliseconds": [
            {"what": _counted(each["batch"], "row") + ", " + _counted(each["threads"], "thread")}
            | {"text": f"{1000 * each['seconds']:.2f}"}
            for each in one["latency"]
        ],
        "figures": {name: cell(Estimate(**value)) for name, value in one["metrics"].items()},
        "classes": [_class(cost) for cost in one["per_class"]],
        "note": one["note"],
    }


def _class(cost: Mapping[str, Any]) -> dict[str, Any]:
    """A class's recall before and after a step, and whether the loss is shown."""
    row = {"label": cost["label"], "rows": cost["rows"], "before": "–", "after": "–", "difference": "–", "verdict": ""}
    if cost["difference"] is None:
        return row
    low, high = cost["low"], cost["high"]
    verdict = "loses" if high < 0 else "gains" if low > 0 else "no change is shown"
    spread = (high - low) / 2
    return row | {
        "before": number(cost["before"], spread),
        "after": number(cost["after"], spread),
        "difference": f"{cost['difference']:+.3f} [{low:+.3f}, {high:+.3f}]",
        "verdict": verdict,
    }


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
