"""The section on the data: problems, the rows of each class on a logarithmic scale, copies and missing values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rarebird.core.checks import some
from rarebird.evaluation.result import Result, Scores
from rarebird.report.sections.section import RunContents

# Of more classes, the largest and the smallest are shown.
MOST_CLASSES, LARGEST, SMALLEST = 30, 10, 20
MOST_COLUMNS = 5


def data_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """What the section shows; None where nothing is known of the data."""
    result, profile = contents.result, contents.profile
    counts = sorted(result.class_counts.items(), key=lambda pair: -pair[1])
    shown = counts if len(counts) <= MOST_CLASSES else counts[:LARGEST] + counts[-SMALLEST:]
    ailments, facts = profile.get("ailments") or [], list(_facts(profile))
    if not (shown or ailments or facts):
        return None
    tested = {row.label: row.support for row in scores.per_class} if result.test else {}
    decades = math.log10(max([10, *(count for _, count in shown)]))
    rows = [
        {
            "label": label,
            "count": count,
            "percent": _percent(count, result.n_train),
            # A class of one row has a bar, too.
            "width": round(100 * (math.log10(count) + 0.12) / (decades + 0.12), 2) if count else 0,
            "test": tested.get(label),
        }
        for label, count in shown
    ]
    ticks = [round(100 * (power + 0.12) / (decades + 0.12), 2) for power in range(math.floor(decades) + 1)]
    return {
        "ailments": ailments,
        "counts": rows,
        "ticks": ticks,
        "tested": bool(tested),
        "hidden_classes": len(counts) - len(shown),
        "caption": _caption(result),
        "facts": facts,
    }


def _caption(result: Result) -> str:
    present = [count for count in result.class_counts.values() if count]
    if len(present) < 2:
        return ""
    return f"The largest class has {max(present) / min(present):.3g} times the rows of the smallest."


def _percent(count: int, total: int) -> str:
    return f"{100 * count / max(total, 1):.2g} %"


def _facts(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was looked for, and how much of it there is."""
    copies = profile.get("duplicates")
    if copies is not None:
        chance = " (by chance, or a default value)" if copies.get("chance") else ""
        yield (
            "Training rows that copy an earlier one",
            f"{copies['exact']:,} exactly, {copies['near']:,} nearly{chance}",
        )
    for part, name in (("val", "Validation"), ("test", "Test")):
        if shared := (profile.get("across") or {}).get(part):
            yield f"{name} rows that copy training rows", f"{shared['exact']:,} exactly, {shared['near']:,} nearly"
    if conflicts := profile.get("conflicts"):
        yield "Rows that equal one with another label", f"{conflicts['rows']:,}"
    if (missing := profile.get("missing_share")) is not None:
        columns = list(profile.get("missing_by_column") or {})
        where = f", in {some(columns, MOST_COLUMNS)}" if columns else ""
        yield "Missing values", f"{missing:.2%}{where}" if missing else "none"
    for leak in profile.get("leaks") or []:
        yield f"Column “{leak['column']}” alone", f"{leak['metric']} {leak['score']:.3f}"
    if groups := profile.get("groups"):
        yield "Groups", f"{groups['count']:,}, the largest has {groups['largest']:,} rows"
