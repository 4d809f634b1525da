"""What `compress` prints: what each step costs and saves, and the recall of each class before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rarebird.evaluation.result import Scores
from rarebird.report.language.chosen import told
from rarebird.report.profile_text import aligned

if TYPE_CHECKING:
    from rarebird.compression.measurement import ClassCost, Size
    from rarebird.compression.sequence import Measured

# Classes of which each step shows a line, those that lose most.
MOST_CLASSES = 20
FIGURES = {"balanced_accuracy": "bal. acc.", "expected_calibration_error": "cal. error", "r2": "r2"}


def summary(measured: Sequence[Measured], chosen: Measured, most_drop: float, path: str, notes: Sequence[str]) -> str:
    """A table of the steps, and one of the classes for each step."""
    parts = [_table(measured)]
    parts += [_classes(one) for one in measured[1:] if one.costs]
    failed = [one for one in measured if not one.kept]
    if failed:
        classes = [cost.label for cost in failed[0].costs if not cost.keeps(most_drop)]
        parts.append(
            f"{failed[0].step} does not keep the floor (a recall that falls by at most {most_drop:g}) on held-out rows "
            f"of {', '.join(map(repr, classes[:5]))}: the model before it is the result."
        )
    parts.append("\n".join([*(f"Note: {note}" for note in notes), f"Model after {chosen.step}: {path}"]))
    return "\n\n".join(parts)


def merge_summary(
    way: str,
    scores: Sequence[Scores],
    sizes: Sequence[Size],
    costs: Sequence[ClassCost],
    path: str,
    notes: Sequence[str],
) -> str:
    """All networks together beside the merged one, and of classes a table of their recalls."""
    names = ("all networks", f"merged ({way})")
    table = _size_table([(name, size, one) for name, size, one in zip(names, sizes, scores, strict=True)])
    heads = ["class", "rows", "together", "merged", "difference"]
    recalls = f"Recall on the rows that report:\n{_aligned([heads, *map(_line, costs)])}"
    lines = [*(f"Note: {note}" for note in notes), f"Merged model: {path}"]
    return "\n\n".join([table, *([recalls] if costs else []), "\n".join(lines)])


def _table(measured: Sequence[Measured]) -> str:
    return _size_table([(one.step + ("" if one.kept else " *"), one.size, one.scores) for one in measured])


def _size_table(models: Sequence[tuple[str, Size, Scores]]) -> str:
    """A line for each model: what it takes, and how good it is."""
    _, first, scores = models[0]
    shown = [name for name in FIGURES if name in scores.metrics]
    heads = ["", "bytes", "parameters", *(f"ms {batch} rows, {count} thr." for count, batch in first.seconds)]
    rows = [[*heads, *(FIGURES[name] for name in shown)]]
    for name, size, found in models:
        parameters = "-" if size.parameters is None else f"{size.parameters:,}"
        if size.nonzero is not None and size.parameters is not None and size.nonzero < 0.9 * size.parameters:
            parameters += f" ({size.nonzero:,} not 0)"
        times = [f"{1000 * size.seconds[key]:.2f}" for key in first.seconds]
        rows.append([name, f"{size.bytes:,}", parameters, *times, *(_figure(found, one) for one in shown)])
    return _aligned(rows)


def _figure(scores: Scores, name: str) -> str:
    found = scores.metrics.get(name)
    if found is None or found.value is None:
        return "-"
    interval = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.value:.3f}{interval}"


def _classes(one: Measured) -> str:
    costs = list(one.test_costs or one.costs)
    where = "test rows" if one.test_costs else "held-out rows"
    costs = (
        sorted(costs, key=lambda cost: cost.difference or 0.0)[:MOST_CLASSES] if len(costs) > MOST_CLASSES else costs
    )
    rows = [["class", "rows", "recall before", "after", "difference"], *(_line(cost) for cost in costs)]
    note = f" {one.note}" if one.note else ""
    alike = {reason.label: reason.correlation for reason in one.reasons}
    if alike:
        shown = [alike.get(cost.label) for cost in costs]
        texts = ["-" if correlation is None else f"{correlation:.2f}" for correlation in shown]
        rows = [[*row, text] for row, text in zip(rows, ["explanations", *texts], strict=True)]
        note += " Explanations: rank correlation with those of the given model, for the same rows."
    return f"After {one.step}, on the {where}, against the given model:{note}\n{_aligned(rows)}"


def _line(cost: ClassCost) -> list[str]:
    if cost.before is None or cost.after is None or cost.difference is None:
        return [cost.label[:30], str(cost.rows), "-", "-", "-"]
    interval = f" [{cost.low:+.3f}, {cost.high:+.3f}]"
    return [
        cost.label[:30],
        str(cost.rows),
        f"{cost.before:.3f}",
        f"{cost.after:.3f}",
        f"{cost.difference:+.3f}{interval}",
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table; its first row are its heads."""
    lines = aligned([[told(head) for head in rows[0]], *rows[1:]], left=range(len(rows[0])))
    return "\n".join(f"  {line.rstrip()}" for line in lines)
