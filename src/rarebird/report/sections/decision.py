"""The section on the decision: its rule, and a cut-off and a cost that move the confusion matrix."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from rarebird.evaluation.cut_offs import CutOffCounts
from rarebird.evaluation.result import Result, Scores
from rarebird.report.decision_text import decision_sentences
from rarebird.report.label_rule import label_rule, probability_text
from rarebird.report.sections.confusion import matrix_rows
from rarebird.report.sections.figures import decision_figures
from rarebird.report.sections.section import RunContents

# Positions of the slider of costs on each side of the middle, where all mistakes cost the same; the ends are 1000
# times cheaper and dearer.
RATIO_STEPS, RATIO_DECADES = 100, 3
PER = 1000


def decision_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """What the section shows, as the model decides; None for regression."""
    result = contents.result
    sliders = _rarest_first(result, scores.cut_offs)
    if not sliders:
        return None
    first = sliders[0]
    judged = "test rows" if result.test else "validation rows"
    counts = decided(scores, first)
    at = first.own if first.own >= 0 else len(first.cut_offs) // 2
    cut_off = first.cut_offs[at]
    ratio = 1 / cut_off - 1
    return {
        "rule": " ".join([label_rule(result, scores), *decision_sentences(scores.decision, judged)]).strip()
        or "Each row gets its most probable class.",
        "explanation": _explanation(first, len(result.classes)),
        "labels": [one.label for one in sliders],
        "label": first.label,
        "classes": first.classes,
        "matrix": matrix_rows(counts, first.classes),
        "figures": _figures(counts, first.classes.index(first.label), ratio),
        "own": int(first.own),
        "at": at,
        "last": len(first.cut_offs) - 1,
        "cut_off": probability_text(cut_off) if first.own >= 0 else "as the model decides",
        "ratio": f"{ratio:.3g}",
        "ratio_at": _ratio_place(ratio),
        "more": decision_figures(contents, scores),
        "json": _json(scores, sliders),
    }


def decided(scores: Scores, counts: CutOffCounts) -> list[list[int]]:
    """The confusion of the model's own labels, in the classes of a slider's matrix."""
    labels = [row.label for row in scores.per_class]
    if list(counts.classes) == labels:
        return scores.confusion
    code = labels.index(counts.label)
    found = [[0, 0], [0, 0]]
    for true, row in enumerate(scores.confusion):
        for predicted, n in enumerate(row):
            found[true == code][predicted == code] += n
    return found


def _rarest_first(result: Result, sliders: Sequence[CutOffCounts]) -> list[CutOffCounts]:
    return sorted(sliders, key=lambda one: result.class_counts.get(one.label, 0))


def _explanation(counts: CutOffCounts, n_classes: int) -> str:
    if n_classes == 2:
        return (
            f"The first slider moves the probability from which on a row is labelled “{counts.label}”; the second says "
            "what a missed row costs, which has a cut-off of least expected cost if probabilities are right."
        )
    return (
        "The first slider moves the cut-off of one class: a row gets its label if the class's share of the probability "
        "of the class and the best other one reaches the cut-off; all other rows get the label that the decision gives "
        "among the other classes. The second says what a missed row of the class costs, which has a cut-off of least "
        "expected cost if probabilities are right."
    )


def _figures(counts: Sequence[Sequence[int]], code: int, ratio: float) -> dict[str, str]:
    """The figures beside the sliders, as the page's script computes them, too."""
    total = sum(map(sum, counts))
    own, named = sum(counts[code]), sum(row[code] for row in counts)
    recalls = [row[place] / sum(row) for place, row in enumerate(counts) if sum(row)]
    missed = own - counts[code][code]
    others = total - sum(row[place] for place, row in enumerate(counts)) - missed
    return {
        "recall": _share(counts[code][code], own),
        "precision": _share(counts[code][code], named),
        "alerts": f"{PER * named / max(total, 1):.1f}",
        "balanced": f"{sum(recalls) / len(recalls):.3f}" if recalls else "–",
        "cost": f"{PER * (ratio * missed + others) / max(total, 1):.1f}",
    }


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"


def _ratio_place(ratio: float) -> int:
    place = round(RATIO_STEPS / RATIO_DECADES * math.log10(min(max(ratio, 1e-9), 1e9)))
    return min(max(place, -RATIO_STEPS), RATIO_STEPS)


def _json(scores: Scores, sliders: Sequence[CutOffCounts]) -> str:
    """The counts for the page's script, as JSON that no label can end."""
    plain = [
        {
            "code": one.classes.index(one.label),
            "cutOffs": one.cut_offs,
            "own": one.own,
            "cells": one.cells,
            "decided": decided(scores, one),
            "name": one.label,
        }
        for one in sliders
    ]
    text = json.dumps({"sliders": plain, "steps": RATIO_STEPS, "decades": RATIO_DECADES}, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
