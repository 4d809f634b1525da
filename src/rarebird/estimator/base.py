"""What both estimators share: the parameters, the rows, the recipe and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from rarebird.automl import command
from rarebird.core.checks import DataError, require
from rarebird.core.clock import Clock, seconds_of
from rarebird.core.python_words import in_python_words
from rarebird.core.temporary_folder import temporary_folder
from rarebird.data.dataset import Dataset, Kind, Splits, Task
from rarebird.estimator.rows import checked_weight, has_text_or_dates, is_table, on_host, without_weightless
from rarebird.experiment.run import Outcome, run
from rarebird.metrics import names
from rarebird.readers import array_tables
from rarebird.readers.arrow_frames import in_pandas
from rarebird.readers.python import from_arrays
from rarebird.recipe import fine_tuning
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assignments
from rarebird.runs.request import Request
from rarebird.training.device import threads


class RecipeEstimator(BaseEstimator):  # type: ignore[misc]
    """What both faces share: the parameters, the rows, the recipe and the run."""

    _task: ClassVar[Task]

    def __init__(
        self,
        *,
        kind: Kind | None = None,
        metric: str | None = None,
        recipe: Recipe | str | Path | None = None,
        settings: Mapping[str, Any] | str | Sequence[str] = (),
        steps: int = 200,
        budget: float | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.kind = kind
        self.metric = metric
        self.recipe = recipe
        self.settings = settings
        self.steps = steps
        self.budget = budget
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # A pickle holds the model, and not the training rows that it was fitted to.
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "outcome_"}

    @in_python_words
    def _fit(self, X: Any, y: np.ndarray, sample_weight: Any, groups: Any) -> None:
        """Build the rows, choose the recipe, run it."""
        budget = _seconds(self.budget)
        given = self._given_recipe()
        kind = self.kind if given is None else given.kind
        weight = None if sample_weight is None else checked_weight(sample_weight)
        if hasattr(self, "n_features_in_"):
            del self.n_features_in_
        data = without_weightless(self._rows(X, kind, reset=True, y=y, sample_weight=weight, groups=groups))
        recipe = self._chosen_recipe(given, data)
        clock = Clock(budget if recipe.steps is None else None)
        if budget is not None and self._searches():
            self.outcome_ = self._search(recipe, data, clock)
        else:
            with threads(self.threads):
                self.outcome_ = run(recipe, Splits(data), clock=clock, device=self.device, test_share=0)
        self.model_, self.recipe_, self.result_ = self.outcome_.model, self.outcome_.recipe, self.outcome_.result

    def _given_recipe(self) -> Recipe | None:
        given = (
            self.recipe if self.recipe is None or isinstance(self.recipe, Recipe) else Recipe.read(Path(self.recipe))
        )
        if given is not None and self.kind not in (None, given.kind):
            raise DataError(
                f"The recipe is for data of kind {given.kind!r}, but kind is {self.kind!r}; change one of them."
            )
        return given

    def _request(self, folder: Path) -> Request:
        recipe, settings = None if self.recipe is None else folder, tuple(self._assignments())
        return Request(Path("X"), folder, recipe=recipe, settings=settings, threads=self.threads, device=self.device)

    def _searches(self) -> bool:
        """Whether a budget is for a search: where no recipe is given, and no setting chooses one."""
        return command.is_asked_for(self._request(Path()))

    def _search(self, recipe: Recipe, data: Dataset, clock: Clock) -> Outcome:
        """The search of `rarebird fit`, whose trials are kept in a temporary folder."""
        with temporary_folder() as folder:
            request = self._request(folder / "run")
            return command.search(recipe, Splits(data), request, clock, test_share=0).outcome

    def _chosen_recipe(self, given: Recipe | None, data: Dataset) -> Recipe:
        """The given recipe or the default rules', with the parameters and then the settings on top."""
        if self.metric is not None:
            names.metric_for_task(self.metric, data.task, data.classes)
        recipe = given or default_recipe(data, self.metric)
        chosen: dict[str, Any] = {"metric": self.metric, "threads": self.threads, "seed": self._seed(given)}
        if recipe.steps is None and self.budget is None:
            chosen["steps"] = self.steps
        stated = {name: value for name, value in chosen.items() if value is not None}
        recipe, settings = recipe.updated(**stated), self._assignments()
        return recipe.with_settings(settings) if given else Recipe(**fine_tuning.with_settings(recipe, settings))

    def _assignments(self) -> list[str]:
        """The settings as assignments; one alone may be given as text."""
        if isinstance(self.settings, Mapping):
            return list(assignments(self.settings))
        return [self.settings] if isinstance(self.settings, str) else list(self.settings or ())

    def _seed(self, given: Recipe | None) -> int | None:
        """An integer is the recipe's seed as it is; None leaves a given recipe its own, and draws one otherwise."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        if self.random_state is None and given is not None:
            return None
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _rows(self, X: Any, kind: Kind | None, *, reset: bool, **parts: Any) -> Dataset:
        """Rows of any kind. A table is checked as scikit-learn checks it; series and pictures are checked by
        `from_arrays` alone."""
        X = in_pandas(X)
        if kind == "table" or (kind is None and is_table(X)):
            kind, X = "table", self._table(X, reset)
            # Columns go by the names that fit saw, so that a frame and an array of the same columns are the same rows.
            frame = X if isinstance(X, pd.DataFrame) else array_tables.frame_of(X, "x")
            names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(self.n_features_in_)])
            X = frame.set_axis(list(names), axis=1)
        schema = None if reset else self.model_.row_schema
        return from_arrays(X, kind=kind, task=self._task, name="X", schema=schema, **parts)

    def _table(self, X: Any, reset: bool) -> Any:
        """A table with its number and names of columns checked, or learned on `reset`; only cells that are all numbers
        are converted."""
        if isinstance(X, pd.DataFrame):
            return validate_data(self, X, reset=reset, skip_check_array=True)
        cells = X if hasattr(X, "toarray") else np.asarray(on_host(X))
        if cells.dtype.kind in "US" or (cells.dtype.kind == "O" and has_text_or_dates(cells)):
            return validate_data(self, cells, reset=reset, dtype=None, ensure_all_finite=False)
        if cells.dtype.kind == "O":
            cells = np.where(pd.isna(cells), np.nan, cells)
        return validate_data(
            self, cells, reset=reset, ensure_all_finite="allow-nan", ensure_min_samples=2 if reset else 1
        )

    def _outputs(self, X: Any) -> np.ndarray:
        """The model's probabilities, in the order of its own classes, or values."""
        each = self._member_outputs(X)
        return self.model_.mean_of(each)

    @in_python_words
    def _member_outputs(self, X: Any) -> list[np.ndarray]:
        """The same of each of the model's members."""
        check_is_fitted(self, "model_")
        each: list[np.ndarray] = self.model_.member_outputs(self._rows(X, self.model_.spec.kind, reset=False))
        return each


def _seconds(budget: float | str | None) -> float | None:
    """A budget in seconds."""
    if isinstance(budget, str):
        return seconds_of(budget)
    require(budget is None or budget > 0, "budget > 0", budget=budget)
    return budget
