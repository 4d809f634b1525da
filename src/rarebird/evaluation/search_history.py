"""What a search tried, for its report: the recipes that competed, and all trials as they finished."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rarebird.evaluation.estimate import Estimate

Setting = float | int | bool | str | None


class Tried(BaseModel):
    """A recipe that a search tried.

    Attributes:
        name: Its name in reports.
        loss: Its loss on held-out rows; None where it was not trained on all parts.
        behind: How much its loss is above that of the best recipe, as the mean of paired differences.
        error: The standard error of that difference.
        share: Its weight in the final model.
        runs: The number of seeds that it was trained with.
        seconds: Time of all its trainings.
        is_reference: Whether it is a reference: a standard method that a user might choose instead of a network.
        is_default: Whether it is the default recipe of the kind of data.
        figure: The run's metric on the held-out rows, for those that a report shows beside the model; else None.
        why: Why it was not trained on all parts; empty if it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    loss: float | None = None
    behind: float | None = None
    error: float = 0.0
    share: float = 0.0
    runs: int = 0
    seconds: float = 0.0
    is_reference: bool = False
    is_default: bool = False
    figure: Estimate | None = None
    why: str = ""


class SearchTrial(BaseModel):
    """A finished trial.

    Attributes:
        number: In the order in which trials were begun.
        name: Its recipe's name; empty where a trial is known by its number alone.
        value: What the search minimizes or maximizes, on held-out rows.
        seconds: From the start of the first trial to the end of this one.
        settings: The values that the search chose; empty for a recipe that came as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str = ""
    value: float
    seconds: float
    settings: dict[str, Setting] = {}


class SearchHistory(BaseModel):
    """All finished trials of a search.

    Attributes:
        criterion: The name of a metric, or ``loss`` for the criterion of `automl.criterion`.
        larger_is_better: The direction of `SearchTrial.value`.
        trials: In the order in which they finished.
        importance: Setting -> its share of the variance of the values, of sum 1; empty for too few trials.
        resumed: Whether the trials are of several processes, so that their seconds have gaps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion: str
    larger_is_better: bool
    trials: tuple[SearchTrial, ...]
    importance: dict[str, float] = {}
    resumed: bool = False
