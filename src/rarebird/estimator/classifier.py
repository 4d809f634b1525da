"""The classifier of scikit-learn's form."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rarebird.estimator.base import RecipeEstimator
from rarebird.estimator.rows import plain_labels
from rarebird.model.coverage import sets
from rarebird.readers import targets


class RarebirdClassifier(ClassifierMixin, RecipeEstimator):  # type: ignore[misc]
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
        labels = validate_data(self, y=plain_labels(y))
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
