"""The walk along a path of strengths: each is tried in turn, those beyond the usual range only while the penalty has
done no harm yet.

A range that is worth searching need not reach the strength at which a short training underfits (a decay of 0.5 at a
learning rate of 2e-3 takes off a tenth in 100 steps), and a path should show that end too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

from rarebird.core.checks import DataError
from rarebird.diagnostics.regularization_path.one_standard_error import Point, Scored, one_standard_error, points_of


class Walk:
    """Scores of one strength after the other, over repeated splits.

    Args:
        strengths: Rising; all are tried.
        further: Stronger ones, rising; tried while the strongest so far is within one standard error of the best.
        repeats: Splits; what the first one came to, the others try again.
        judged: Scores of a split and strength.
        larger_is_better: What makes a score good.
    """

    def __init__(
        self,
        strengths: Sequence[float],
        further: Sequence[float],
        repeats: int,
        judged: Callable[[int, float], Scored],
        larger_is_better: bool,
    ) -> None:
        self.strengths, self.further, self.repeats = strengths, further, repeats
        self.judged, self.larger_is_better = judged, larger_is_better
        self.scored: dict[float, list[Scored]] = {}
        self.failed: dict[float, str] = {}
        self.notes: list[str] = []

    @property
    def points(self) -> list[Point]:
        """A point per strength that was tried."""
        return points_of(self.scored, self.failed)

    def run(self, deadline: float | None, tell: Callable[[float, str], bool]) -> None:
        """Try them all, unless `tell` ends it; past the deadline, the first split's given strengths alone are gone on
        with."""
        most = self.repeats * (len(self.strengths) + len(self.further))
        for done, (repeat, strength) in enumerate(self._rounds()):
            needed = repeat == 0 and strength in self.strengths
            late = not needed and deadline is not None and time.monotonic() > deadline
            if late or tell(done / most, f"strength {strength:g}" + (f", split {repeat + 1}" if repeat else "")):
                self.notes.append(
                    f"The path was ended early, before strength {strength:g} of split {repeat + 1} of {self.repeats}."
                )
                return
            self._try(repeat, strength)

    def _rounds(self) -> Iterator[tuple[int, float]]:
        """Splits and strengths in their order, with no more of the stronger ones than are asked for by what came
        before."""
        for repeat in range(self.repeats):
            for strength in self.strengths:
                yield repeat, strength
            for strength in self.further:
                if self._harmed() if repeat == 0 else strength not in self.scored:
                    break
                yield repeat, strength

    def _try(self, repeat: int, strength: float) -> None:
        self.scored.setdefault(strength, [])
        if strength in self.failed:
            return
        try:
            self.scored[strength].append(self.judged(repeat, strength))
        except DataError as error:
            # A strength at which the training diverges is a result of the path and not its end.
            self.failed[strength] = str(error)

    def _harmed(self) -> bool:
        """Whether the strongest penalty so far is too strong, or cannot be judged."""
        points = self.points
        if not math.isfinite(points[-1].validation):
            return True
        return one_standard_error(points, self.larger_is_better)[1] is not points[-1]
