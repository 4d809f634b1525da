"""What a search found, in words and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rarebird.experiment.run import Outcome
from rarebird.report.terminal import summary
from rarebird.tuning.study import Finished

DIGITS = 4


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        outcome: The run of the chosen recipe.
        trials: All finished trials.
        best: The chosen one of them.
        why: Who proposed, and why.
        metric: What was made best.
        pruned: Trials that were ended before their last part.
        remarks: Sentences on how the search went.
    """

    outcome: Outcome
    trials: Sequence[Finished]
    best: Finished
    why: str
    metric: str
    pruned: int = 0
    remarks: Sequence[str] = ()

    def for_machines(self) -> dict[str, Any]:
        """The run's own object, with the search beside it."""
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
        """The search and the run in some lines."""
        values = ", ".join(f"{name}={_short(value)}" for name, value in self.best.values.items())
        judged = f"{self.metric} {self.best.value:.{DIGITS}f} on held-out training rows"
        pruned = f" ({self.pruned} more were pruned)" if self.pruned else ""
        chosen = f"Trial {self.best.number} of {len(self.trials)}{pruned} was best: {judged}."
        return "\n".join(
            [f"Strategy {self.why}", *self.remarks, chosen, f"  {values}", "", summary(self.outcome.result)]
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
