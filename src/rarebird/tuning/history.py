"""A study's finished trials as a report shows them, and how much each setting mattered.

A setting's importance is its share of the variance of the values over the searched ranges, from a random forest that is
fitted to the trials (functional ANOVA: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing
hyperparameter importance", ICML 2014), as Optuna computes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rarebird.evaluation.search_history import SearchHistory, SearchTrial

if TYPE_CHECKING:
    import optuna

# With fewer trials that have settings, their importance is mostly chance.
FEWEST_TRIALS = 10
TREES = 32


def history_of(
    trials: Sequence[optuna.trial.FrozenTrial],
    criterion: str,
    larger_is_better: bool,
    resumed: bool,
    name_of: Callable[[optuna.trial.FrozenTrial], str] = lambda trial: "",
) -> SearchHistory | None:
    """The trials in the order in which they finished; None without any.

    Args:
        trials: Finished trials with values.
        criterion: The metric, or ``loss``.
        larger_is_better: Its direction.
        resumed: Whether several processes ran them, one after another.
        name_of: The name of a trial's recipe.
    """
    ended = [(trial.datetime_complete, trial) for trial in trials if trial.datetime_complete is not None]
    begun = min((trial.datetime_start for trial in trials if trial.datetime_start is not None), default=None)
    if not ended or begun is None:
        return None
    shown = [
        SearchTrial(
            number=trial.number,
            name=name_of(trial),
            value=trial.value or 0.0,
            seconds=round((end - begun).total_seconds(), 2),
            settings=trial.params,
        )
        for end, trial in sorted(ended, key=lambda pair: (pair[0], pair[1].number))
    ]
    return SearchHistory(
        criterion=criterion,
        larger_is_better=larger_is_better,
        trials=tuple(shown),
        importance=importance(trials, larger_is_better),
        resumed=resumed,
    )


def importance(trials: Sequence[optuna.trial.FrozenTrial], larger_is_better: bool) -> dict[str, float]:
    """Setting -> its share of the variance, the largest first; empty where trials are too few, or all alike."""
    import optuna

    searched = [trial for trial in trials if trial.params]
    if len(searched) < FEWEST_TRIALS or len({trial.value for trial in searched}) < 2:
        return {}
    study = optuna.create_study(direction="maximize" if larger_is_better else "minimize")
    study.add_trials(searched)
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, RuntimeError, ZeroDivisionError):  # no setting is common to the trials, or none varies
            return {}
    return {name: round(float(share), 4) for name, share in found.items()}
