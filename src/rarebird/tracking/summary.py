"""What trackers record of a result and of a trial: plain names and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rarebird.evaluation.result import Result


def metrics(result: Result) -> dict[str, float]:
    """Name -> number: each metric of the test and of the held-out rows with the ends of its interval, and each class's
    recall and precision."""
    found: dict[str, float | None] = {"seconds": result.seconds}
    for part, scores in (("test", result.test), ("held_out", result.validation)):
        if scores is None:
            continue
        for name, estimate in scores.metrics.items():
            found |= {
                f"{part}/{name}": estimate.value,
                f"{part}/{name}_low": estimate.low,
                f"{part}/{name}_high": estimate.high,
            }
        for row in scores.per_class:
            found |= {
                f"{part}/recall/{row.label}": row.recall.value,
                f"{part}/precision/{row.label}": row.precision.value,
            }
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def about(result: Result) -> dict[str, str]:
    """Name -> text: what the run was."""
    return {
        "data": result.name,
        "kind": result.kind,
        "task": result.task,
        "metric": result.metric,
        "n_train": str(result.n_train),
        "n_test": str(result.n_test),
        "classes": str(len(result.classes)),
        "positive": str(result.positive),
        **{f"version/{name}": version for name, version in result.versions.items()},
    }


def learning_curves(result: Result) -> Iterator[tuple[str, int, float]]:
    """``(name, step, value)`` of what was measured while training, network by network."""
    for entry in result.history:
        step, network = int(entry.get("step", 0)), int(entry.get("fold", 0))
        for name, value in entry.items():
            if name not in ("step", "fold") and value is not None and math.isfinite(value):
                yield f"network {network}/{name}", step, float(value)


def trial_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a trial's event."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
