"""When a trial is ended before its last part: Optuna's pruners behind our names, on the value over the parts that are
judged so far.

The default is ``none``. Cross-fitting is for few rows, where the value over two or three parts says little of the value
over all of them: a pruned search saves time by giving up good recipes now and then, and the share of time that it saves
is no more than that of the parts left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rarebird.core.checks import DataError, nearest

if TYPE_CHECKING:
    import optuna

PRUNERS = ("none", "median", "halving")
# One part alone says too little: its rows are few, and there are no other parts' rows to calibrate it by.
FIRST_PARTS = 2
# Finished trials before the median of them is asked.
FIRST_TRIALS = 5


def check(name: str) -> None:
    """Refuse a name that no pruner has.

    Raises:
        DataError: There is no such pruner.
    """
    if name not in PRUNERS:
        raise DataError(f"There is no pruner {name!r}; {nearest(name, PRUNERS)}")


def applies(name: str, parts: int) -> bool:
    """Whether a trial of so many parts can be ended before its last."""
    return name != "none" and parts > FIRST_PARTS


def pruner(name: str) -> optuna.pruners.BasePruner:
    """A pruner by its name.

    ``median`` ends a trial that is worse after some parts than the median of the finished trials after as many.
    ``halving`` (Li et al. 2020, ASHA) lets about half of the trials go on after 2, 4, 8 parts, whichever are best
    there.
    """
    from optuna import pruners

    check(name)
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=FIRST_TRIALS, n_warmup_steps=FIRST_PARTS)
    if name == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=FIRST_PARTS, reduction_factor=2)
    return pruners.NopPruner()
