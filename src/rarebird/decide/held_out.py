"""Outputs of any classifier of scikit-learn for rows that it has not learned from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from rarebird.core.checks import DataError
from rarebird.model.chain import LEAST

FOLDS = 5


@dataclass(frozen=True, eq=False)
class HeldOutputs:
    """Held-out rows of a classifier.

    Attributes:
        logits: ``(m, n_classes)``, in the order of all classes; logarithms of the probabilities where the classifier
            has any.
        row: ``(m,)`` positions of the rows; a splitter may hold out a row several times, or never.
    """

    logits: np.ndarray
    row: np.ndarray


def logits_of(estimator: Any, X: Any, classes: np.ndarray) -> np.ndarray:
    """``(n, n_classes)`` logits of a fitted classifier, in the order of `classes`.

    Raises:
        DataError: The classifier has neither probabilities nor scores.
    """
    if hasattr(estimator, "predict_proba"):
        found = np.log(np.clip(np.asarray(estimator.predict_proba(X), dtype=np.float64), LEAST, None))
    elif hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(X), dtype=np.float64)
        found = np.column_stack([np.zeros(len(scores)), scores]) if scores.ndim == 1 else scores
    else:
        raise DataError(f"{type(estimator).__name__} has neither predict_proba nor decision_function; one is needed.")
    logits = np.full((len(found), len(classes)), np.log(LEAST))
    logits[:, np.searchsorted(classes, estimator.classes_)] = found
    return logits


def cross_fitted(
    estimator: Any, cv: Any, X: Any, y: np.ndarray, given: Mapping[str, Any], split: Mapping[str, Any]
) -> HeldOutputs:
    """Held-out outputs of clones of a classifier, each fitted on the other parts of the rows.

    Args:
        estimator: Not fitted.
        cv: A splitter of scikit-learn.
        X: The rows.
        y: ``(n,)`` labels.
        given: More arguments of the classifier's `fit`.
        split: More arguments of the splitter's `split`.
    """
    classes, logits, rows = np.unique(y), [], []
    with warnings.catch_warnings():
        # A class with fewer rows than folds is learned by some of the classifiers only.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        parts = list(cv.split(X, y, **split))
    for learned, held in parts:
        X_learned, y_learned = _safe_split(estimator, X, y, learned)
        one = clone(estimator).fit(X_learned, y_learned, **_check_method_params(X, given, learned))
        X_held, _ = _safe_split(estimator, X, y, held, learned)
        logits.append(logits_of(one, X_held, classes))
        rows.append(held)
    return HeldOutputs(np.concatenate(logits), np.concatenate(rows))


def splitter(cv: Any, y: np.ndarray, grouped: bool, random_state: Any) -> Any:
    """The splitter that `cv` asks for; None: five folds, stratified, of whole groups where there are some, and fewer
    where the smallest class has fewer rows."""
    if cv is not None:
        return check_cv(cv, y, classifier=True)
    folds = int(np.clip(np.unique(y, return_counts=True)[1].min(), 2, FOLDS))
    seed = check_random_state(random_state).randint(2**31)
    return (StratifiedGroupKFold if grouped else StratifiedKFold)(folds, shuffle=True, random_state=seed)
