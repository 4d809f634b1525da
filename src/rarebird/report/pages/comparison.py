"""The page of `rarebird compare`: verdicts, a forest plot and tables in one HTML file that needs no other file and
contains no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rarebird.core.checks import some
from rarebird.report.figures.drawing import COLORS
from rarebird.report.figures.forest import LOOKS, forest
from rarebird.report.left_out import why_left_out
from rarebird.report.pages.page import rendered, write_page
from rarebird.report.wording import number, wording

MOST_NAMED = 8


def write_comparison(path: Path, data: Mapping[str, Any], comparison: Mapping[str, Any], baseline_toml: str) -> None:
    """Write the page of a comparison; a reader of `path` sees the old file or the new one, never a part.

    Args:
        path: The file to write.
        data: ``name``, ``kind``, ``task`` and ``n_train`` of the data.
        comparison: The object that ``compare --json`` prints.
        baseline_toml: The baseline's recipe.
    """
    write_page(path, render(data, comparison, baseline_toml))


def render(data: Mapping[str, Any], comparison: Mapping[str, Any], baseline_toml: str) -> str:
    """The page as text; arguments as for `write_comparison`."""
    rows = _by_gain([_row(remedy, entry) for remedy, entry in comparison["remedies"].items()])
    metric, combination, baseline = comparison["metric"], comparison["combination"], comparison["baseline_metrics"]
    return rendered(
        "compare.html",
        data=data,
        comparison=comparison,
        words=wording(metric),
        baseline=_text(comparison["baseline"]),
        detectable=_text(comparison["detectable"]),
        sentences=_sentences(rows, comparison),
        rows=rows,
        figure=_figure(rows, metric, "alone"),
        combination=combination and _combination(combination, metric),
        metrics=[
            {"title": wording(name).title, "turned": name in comparison["turned"], "baseline": _text(value)}
            for name, value in baseline.items()
        ],
        in_metrics=[
            {"label": row["label"], "cells": [_cell(row["metrics"].get(name)) for name in baseline]}
            for row in rows
            if not row["why"]
        ],
        baseline_toml=baseline_toml,
    )


def _row(label: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with the texts of its figures."""
    return {
        **entry,
        "label": label,
        "why": entry.get("why", ""),
        **_cell(entry),
        "from": _text(entry["detectable"] or None),
        "mark": entry["verdict"].split()[0],
    }


def _cell(entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """A difference and its interval as texts, and whether the interval excludes 0."""
    if entry is None or entry["difference"] is None:
        return {"shown": "–", "interval": "", "sure": False}
    low, high = entry["low"], entry["high"]
    if low is None or high is None:
        return {"shown": signed(entry["difference"], None), "interval": "", "sure": False}
    spread = (high - low) / 2
    interval = f"[{signed(low, spread)}, {signed(high, spread)}]"
    return {"shown": signed(entry["difference"], spread), "interval": interval, "sure": low > 0 or high < 0}


def signed(value: float, spread: float | None) -> str:
    """A difference with its sign, and as many digits as its interval makes meaningful, up to three."""
    size = max(abs(value), spread or 0.0)
    text = number(value, min(spread, 0.0099) if spread and size < 1 else spread, size=size)
    return text if value < 0 or float(text.replace("\u202f", "")) == 0 else f"+{text}"


def _text(value: float | None) -> str:
    return "–" if value is None else number(value, 0.001)


def _by_gain(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -math.inf if row["difference"] is None else row["difference"], reverse=True)


def _combination(combination: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """The combination, its members, and one figure of both."""
    whole = _row("all together", combination)
    members = [_row(member, entry) for member, entry in combination["members"].items()]
    drawn = [whole, *({**member, "label": f"adds: {member['label']}"} for member in members)]
    return {"lines": [whole, *members], "figure": _figure(drawn, metric, "together")}


def _figure(rows: Sequence[Mapping[str, Any]], metric: str, name: str) -> dict[str, Any] | None:
    """The forest plot as the template shows it; None if nothing could be judged."""
    if all(row["difference"] is None for row in rows):
        return None
    try:
        drawing = forest(rows, f"difference in {wording(metric).title.lower()}, right is better", name)
    except Exception as error:
        sentence = f"This figure could not be drawn{why_left_out(error)}; the tables hold all values."
        return {"svg": "", "key": [], "aid": sentence}
    key = [{"label": entry.label, "color": f"var(--{entry.color}, {COLORS[entry.color]})"} for entry in drawing.key]
    return {"svg": drawing.svg, "key": key, "aid": drawing.left_out}


def _sentences(rows: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any]) -> list[str]:
    """The main results in sentences; where the trainings were too short for verdicts, that alone."""
    if comparison.get("no_verdict"):
        return [comparison["no_verdict"]]
    labels = {
        verdict: [row["label"] for row in rows if row["verdict"] == verdict and not row["why"]] for verdict in LOOKS
    }
    sentences = [
        f"{verdict.capitalize()}: {some(labels[verdict], MOST_NAMED)}."
        for verdict in ("helps", "hurts")
        if labels[verdict]
    ]
    undecided = len(labels["too few rows to tell"])
    if not sentences and undecided:
        sentences.append(
            "No remedy is shown to help or to hurt: there are too few rows to tell, or they have no effect here."
        )
    elif undecided:
        sentences.append(f"Too few rows to tell: {undecided} of {len(rows)}.")
    if comparison["combination"] is not None:
        best = _row("", comparison["combination"])
        difference = f"{best['shown']} {best['interval']}".strip()
        sentences.append(f"Best combination: {' and '.join(best['remedies'])}, {difference}: {best['verdict']}.")
    return sentences
