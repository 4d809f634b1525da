"""The report's section on rows of other sources."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import ClassShift, ExternalEffect, ExternalRows
from rarebird.slots.external_rows import SourceReport

# Columns that are listed, the most different first.
MOST_COLUMNS = 8
LEVEL = 0.05


def external_values(found: ExternalRows | None) -> dict[str, Any] | None:
    """The values of the section; None where no source was given."""
    if found is None:
        return None
    return {
        "used": found.used,
        "effect": None if found.effect is None else effect_sentence(found.effect),
        "sources": [_source(source, found.shift.get(source.name, ())) for source in found.sources],
    }


def effect_sentence(effect: ExternalEffect) -> str:
    """Whether the rows help, with the interval."""
    verdict = "helps" if effect.high < 0 else "hurts" if effect.low > 0 else "too few rows to tell"
    return (
        f"With these rows, the held-out loss of {effect.recipe} is {effect.loss_with:.4f}, without them "
        f"{effect.loss_without:.4f}: difference {effect.difference:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}], "
        f"{verdict}."
    )


def _source(source: SourceReport, shift: tuple[ClassShift, ...]) -> dict[str, Any]:
    apart = {
        one.label: f"{one.auc:.2f}" + (f" (p = {one.p_value:.2g})" if one.p_value < LEVEL else "") for one in shift
    }
    copies = [
        f"{n:,} of its rows copy {what} and were left out"
        for n, what in ((source.judged_copies, "a test or validation row"), (source.own_copies, "a training row"))
        if n
    ]
    joined = (
        f"No row joins: {source.refused}."
        if source.refused
        else f"{source.joined:,} of {source.given:,} rows may join, with the weight of {source.weight:,.0f} own rows."
    )
    return {
        "name": source.name,
        "summary": joined,
        "findings": [*copies, *source.findings],
        "classes": [{**row.model_dump(), "apart": apart.get(row.label)} for row in source.classes],
        "columns": [row.model_dump() for row in source.columns[:MOST_COLUMNS]],
    }
