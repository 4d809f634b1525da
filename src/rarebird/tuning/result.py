"""The result of a search, as text and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rarebird.experiment.run import Outcome
from rarebird.report.terminal import summary
from rarebird.tuning.study import FinishedTrial

DIGITS = 4


@dataclass(frozen=True)
class TuningResult:
    """The result of a search.

    Attributes:
        outcome: The run of the best trial's recipe.
        trials: All finished trials.
        best: The best of them.
        why: The strategy, and why it was chosen.
        metric: The metric that was optimized.
        pruned: Number of trials that were ended before their last part.
        remarks: Sentences on the search, for the user.
    """

    outcome: Outcome
    trials: Sequence[FinishedTrial]
    best: FinishedTrial
    why: str
    metric: str
    pruned: int = 0
    remarks: Sequence[str] = ()

    def for_machines(self) -> dict[str, Any]:
        """The object of the run, and the search under the key ``search``."""
        search = {
            "strategy": self.why,
            "metric": self.metric,
            "trials": len(self.trials),
            "pruned": self.pruned,
            "best": self.best.number,
        }
        return {
            **self.outcome.result.for_machines(),
            "search": {**search, "value": self.best.value, "values": dict(self.best.values)},
        }

    def summary(self) -> str:
        """The search and the run in a few lines."""
        values = ", ".join(f"{name}={_short(value)}" for name, value in self.best.values.items())
        scored = f"{self.metric} {self.best.value:.{DIGITS}f} on held-out training rows"
        pruned = f" ({self.pruned} more were pruned)" if self.pruned else ""
        chosen = f"Trial {self.best.number} of {len(self.trials)}{pruned} was best: {scored}."
        return "\n".join(
            [f"Strategy {self.why}", *self.remarks, chosen, f"  {values}", "", summary(self.outcome.result)]
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
