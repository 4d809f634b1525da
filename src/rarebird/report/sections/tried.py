"""The section on what was tried: the recipes of a search with their losses, and what helped."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.evaluation.search_history import Tried
from rarebird.metrics.uncertainty import Z
from rarebird.report.sections.external_rows import effect_sentence
from rarebird.report.sections.section import RunContents


def tried_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """The rows of the table, and sentences on what helped; None where nothing was tried."""
    tried = contents.result.tried
    if not tried:
        return None
    return {
        "helped": helped(contents.result),
        "rows": [_row(one) for one in tried],
        "unfinished": [one for one in tried if one.loss is None],
    }


def helped(result: Result) -> list[str]:
    """Sentences on what helped, and what did not: the best recipe against the default one, rows of generators and of
    other sources."""
    sentences = [sentence for sentence in (_against_default(result),) if sentence]
    if result.synthesis is not None and result.synthesis.effect is not None:
        sentences.append(f"Synthetic rows: {effect_sentence(result.synthesis.effect)}")
    if result.external is not None and result.external.effect is not None:
        sentences.append(f"Rows of other sources: {effect_sentence(result.external.effect)}")
    return sentences


def _against_default(result: Result) -> str:
    """Whether the best recipe is better than the default one."""
    finished = [one for one in result.tried if one.loss is not None]
    default = next((one for one in finished if one.is_default), None)
    if default is None or default.behind is None or len(finished) < 2:
        return ""
    best = finished[0]
    if best is default:
        return f"The default recipe, “{default.name}”, was the best of {len(finished)} recipes: no other choice helped."
    margin = f"{default.behind:.4f} ± {Z * default.error:.4f}"
    if default.behind > Z * default.error:
        return (
            f"What helped: “{best.name}” in place of the default recipe, “{default.name}”; its loss is {margin} lower."
        )
    return (
        f"“{best.name}” looks better than the default recipe, “{default.name}”, by a loss of {margin}: too few rows to "
        "tell."
    )


def _row(one: Tried) -> dict[str, Any]:
    """A recipe: its held-out loss, and the difference to the best with a 95 % interval."""
    behind = "" if one.behind is None else "the best" if one.behind == 0 else f"+{one.behind:.4f} ± {Z * one.error:.4f}"
    return {
        "name": one.name,
        "loss": one.loss,
        "behind": behind,
        "percent": round(100 * one.share),
        "seconds": one.seconds,
        "runs": one.runs,
        "is_reference": one.is_reference,
        "is_default": one.is_default,
        "why": one.why,
    }
