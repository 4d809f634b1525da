"""Reports the steps of one part of a cross-fit as progress of all parts."""

from __future__ import annotations

from rarebird.core.compute import Compute

# Share of the work of a part that its pretraining is said to be.
PRETRAINING = 0.5


class PartProgress:
    """Reports the steps of one part as progress of all parts; remembers whether the user ended the training."""

    def __init__(self, compute: Compute, fold: int, parts: int) -> None:
        self._progress, self._fold, self._parts = compute.progress, fold, parts
        self._what = "training" if parts == 1 else f"training fold {fold + 1} of {parts}"
        self.ended, self._before = False, 0.0

    def __call__(self, progress: float) -> bool:
        within = self._before + (1 - self._before) * progress
        self.ended = self._progress((self._fold + within) / self._parts, self._what) or self.ended
        return self.ended

    def on_pretraining(self, progress: float) -> bool:
        """The progress of a pretraining, which is half of the part's work."""
        self._before = PRETRAINING * progress
        share, what = (self._fold + self._before) / self._parts, "learning without labels"
        self.ended = self._progress(share, what) or self.ended
        return self.ended
