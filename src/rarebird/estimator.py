"""The scikit-learn face: a classifier and a regressor that fit, predict, clone, pickle and search as scikit-learn's own
do."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rarebird.automl import command
from rarebird.core.checks import DataError, require, some
from rarebird.core.clock import Clock, seconds_of
from rarebird.core.temporary_folder import temporary_folder
from rarebird.data.dataset import Dataset, Kind, Splits, Task
from rarebird.experiment.run import Outcome, run
from rarebird.metrics import names
from rarebird.model.coverage import intervals, sets
from rarebird.readers import array_tables, targets
from rarebird.readers.python import from_arrays
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assignments
from rarebird.runs.request import Request
from rarebird.training.device import threads


class _Estimator(BaseEstimator):  # type: ignore[misc]
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

    def _fit(self, X: Any, y: np.ndarray, sample_weight: Any, groups: Any) -> None:
        """Build the rows, choose the recipe, run it."""
        budget = _seconds(self.budget)
        given = self._given_recipe()
        kind = self.kind if given is None else given.kind
        weight = None if sample_weight is None else _checked_weight(sample_weight)
        if hasattr(self, "n_features_in_"):
            del self.n_features_in_
        data = _without_weightless(self._rows(X, kind, reset=True, y=y, sample_weight=weight, groups=groups))
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
        return recipe.updated(**stated).with_settings(self._assignments())

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
        if kind == "table" or (kind is None and _is_table(X)):
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
        cells = X if hasattr(X, "toarray") else np.asarray(_on_host(X))
        if cells.dtype.kind in "US" or (cells.dtype.kind == "O" and _has_text_or_dates(cells)):
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

    def _member_outputs(self, X: Any) -> list[np.ndarray]:
        """The same of each of the model's members."""
        check_is_fitted(self, "model_")
        each: list[np.ndarray] = self.model_.member_outputs(self._rows(X, self.model_.spec.kind, reset=False))
        return each


class RarebirdClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """Classifier for small or skewed tables, series and pictures, with probabilities that answer to the data's own
    class frequencies.

    The rows are split, networks are trained, and probabilities are calibrated and the decision is fitted on rows that
    the judging network never saw. `predict_proba` gives probabilities under the natural prior; `predict` takes the
    decision that serves `metric`, by default balanced accuracy, so that it need not name the most probable class.

    Parameters
    ----------
    kind : {"image", "table", "series"}, default=None
        What the rows are. None: the recipe's kind, or a table for frames and 2-D arrays, series for 3-D and pictures
        for 4-D arrays.
    metric : str, default=None
        What the decision serves, such as ``"macro_f1"`` or ``"f1:LABEL"``. None: the recipe's, or balanced
        accuracy.
    recipe : Recipe, str or Path, default=None
        A recipe or the path of its TOML file. None: the rules of `rarebird.default_recipe`.
    settings : mapping, str or sequence of str, default=()
        Choices on top of the recipe and of all other parameters: ``{"loss": "focal", "loss.gamma": 3}``, or assignments
        as those of ``--set``: ``("loss=focal", "loss.gamma=3")``.
    steps : int, default=200
        Optimizer steps of each network. A recipe that states its own steps keeps them.
    budget : float or str, default=None
        Wall-clock time of `fit` in seconds, or such as ``"60s"`` or ``"5m"``, in place of `steps`: the search of
        `rarebird fit` then takes the place of a single recipe, unless a recipe or a setting of one is given. A fit
        within a budget does not repeat exactly. A recipe that states its steps keeps them.
    random_state : int, RandomState instance or None, default=None
        An integer is the recipe's seed: same rows and seed, same model. None: the given recipe's seed, or a new one for
        every fit.
    device : str, default="auto"
        A torch device, or ``"auto"`` for the GPU where there is one.
    threads : int, default=None
        CPU threads of torch while fitting. None: as they are; tables train on one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels in the type of `y`, sorted.
    model_ : Model
        The fitted model; ``model_.save(folder)`` writes it as JSON and safetensors.
    recipe_ : Recipe
        Every choice that was made; a fit with it and the same rows gives the same model.
    result_ : Result
        Scores with intervals on the held-out rows (``result_.validation``), the protocol, notes and timings.
    outcome_ : Outcome
        All that the run gave, the split rows and out-of-fold probabilities (of `model_`'s classes) included; left out
        of pickles.
    n_features_in_ : int
        Columns of a table; not set for series and pictures.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where `X` was a frame whose names are all text.

    Examples
    --------
    >>> import numpy as np
    >>> from rarebird import RarebirdClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 3))
    >>> y = np.where(X[:, 0] > 1, "rare", "common")
    >>> classifier = RarebirdClassifier(steps=20, settings="folds=2", random_state=0).fit(X, y)
    >>> classifier.predict_proba(X[:5]).shape
    (5, 2)
    """

    _task = "classification"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train, calibrate and decide.

        Parameters
        ----------
        X : array-like, frame or tensor
            A table, whose frame may hold categories, dates, text and missing values, series ``(n_samples, n_channels,
            length)``, or pictures ``(n_samples, height, width, n_channels)``: anything that `rarebird.from_arrays`
            takes.
        y : array-like of shape (n_samples,)
            Class labels: integers, booleans or text.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of at least 0; they reach the loss, the calibration, the decision and the scores. Whole numbers
            count rows: a row of weight 2 is that row twice. Other weights only compare rows. Rows of weight zero are
            left out.
        groups : array-like of shape (n_samples,), default=None
            What belongs together (patient, track, site) and never straddles a split.

        Raises
        ------
        DataError
            A ValueError: the rows, or the recipe for them, cannot serve.
        """
        labels = validate_data(self, y=_on_host(y))
        check_classification_targets(labels)
        self._fit(X, labels, sample_weight, groups)
        self.classes_ = np.unique(labels)
        # The model has its classes in natural order ("9" before "10"), scikit-learn in NumPy's.
        self._model_codes = np.array([self.model_.classes.index(targets.label(value)) for value in self.classes_])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities under the training rows' class frequencies, (n_samples, n_classes), in the order of `classes_`;
        X as in `fit`."""
        return self._outputs(X)[:, self._model_codes]

    def predict(self, X: Any) -> np.ndarray:
        """The labels that serve `metric`, (n_samples,), in the type of `y`; X as in `fit`."""
        check_is_fitted(self, "model_")
        rows = self._rows(X, self.model_.spec.kind, reset=False)
        codes = self.model_.labels(self.model_.outputs(rows), rows)
        labels: np.ndarray = self.classes_[np.argsort(self._model_codes)[codes]]
        return labels

    def predict_set(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Sets of classes that contain the true one with a promised frequency, for each class by itself.

        Parameters
        ----------
        X : as in `fit`
        coverage : float, default=0.9
            The share of new rows of each class whose set contains the class.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Booleans in the order of `classes_`. A class with too few held-out rows for a promise (a coverage of .9
            needs 9) is in every set.
        """
        found: np.ndarray = sets(self.model_, self._member_outputs(X), coverage).members[:, self._model_codes]
        return found


class RarebirdRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """Regressor for small tables, series and pictures.

    Parameters
    ----------
    kind, recipe, settings, steps, budget, random_state, device, threads
        As those of `RarebirdClassifier`.
    metric : str, default=None
        What the run is judged by, such as ``"mean_absolute_error"``. None: the recipe's, or mean squared error.

    Attributes
    ----------
    model_, recipe_, result_, outcome_, n_features_in_, feature_names_in_
        As those of `RarebirdClassifier`.
    """

    _task = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on rows.

        Parameters
        ----------
        X, sample_weight, groups
            As those of `RarebirdClassifier.fit`.
        y : array-like of shape (n_samples,)
            Finite numbers.
        """
        self._fit(X, validate_data(self, y=_on_host(y), y_numeric=True), sample_weight, groups)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The expected values, (n_samples,); X as in `fit`."""
        return self._outputs(X)[:, 0]

    def predict_interval(self, X: Any, coverage: float = 0.9) -> np.ndarray:
        """Intervals that contain the true value with a promised frequency, wider where errors are larger.

        Parameters
        ----------
        X : as in `fit`
        coverage : float, default=0.9
            The share of new rows whose interval contains the value.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends.

        Raises
        ------
        DataError
            A ValueError: there are too few held-out rows for the coverage.
        """
        return intervals(self.model_, self._member_outputs(X), coverage)


def _seconds(budget: float | str | None) -> float | None:
    """A budget in seconds."""
    if isinstance(budget, str):
        return seconds_of(budget)
    require(budget is None or budget > 0, "budget > 0", budget=budget)
    return budget


def _on_host(values: Any) -> Any:
    """A tensor as an array; anything else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _is_table(X: Any) -> bool:
    """Whether the rows have the shape of a table, or of none; the latter is left to scikit-learn's check to refuse."""
    return (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) <= 2


def _has_text_or_dates(cells: np.ndarray) -> bool:
    return any(isinstance(cell, str | datetime.date | np.datetime64) for cell in cells.ravel())


def _checked_weight(sample_weight: Any) -> np.ndarray:
    """``(n,)`` finite weights, some of them not zero."""
    weight: np.ndarray = check_array(
        _on_host(sample_weight), ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if not weight.any():
        raise DataError("sample_weight is zero in every row; give at least one row a weight above zero.")
    return weight


def _without_weightless(data: Dataset) -> Dataset:
    """The rows of some weight: a row of weight zero must count as if it were not there, for scales and folds too.

    Raises:
        DataError: A class would lose all its rows.
    """
    kept = data.take(data.weights > 0)
    counts = kept.class_counts
    gone = (
        [] if counts is None else [repr(label) for label, count in zip(kept.classes, counts, strict=True) if count == 0]
    )
    if gone:
        raise DataError(
            f"sample_weight is zero in every row of class {some(gone)}; give it some weight, or remove its rows from X "
            "and y."
        )
    return kept
