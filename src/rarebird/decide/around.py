"""A calibration or a decision around any classifier of scikit-learn, as a classifier of scikit-learn."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Bunch, Tags, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, has_fit_parameter, validate_data

from rarebird.core.checks import DataError, require
from rarebird.decide.held_out import HeldOutputs, cross_fitted, logits_of, splitter
from rarebird.metrics import names
from rarebird.model.chain import probabilities
from rarebird.readers.targets import label
from rarebird.slots import methods
from rarebird.slots.decisions import DecisionRows
from rarebird.slots.faces import document, settings, with_parameters

# A column of the table would have to reach `predict`.
LEFT_OUT = {"cost": ("column",)}
OWN = """\
cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
    `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
random_state: Seed of the folds that `cv` leaves open.
"""
OWN_OF_DECISION = """\
metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
positive: The positive class of two; None: the rarer.
"""


class AroundClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """What calibrations and decisions around a classifier share.

    What is fitted here is fitted on rows that the classifier that gives their outputs has not learned from. After that,
    a classifier that learned from all rows is kept.

    Attributes:
        classes_: ``(n_classes,)`` labels, sorted.
        estimator_: The classifier, fitted on all rows; with ``cv="prefit"`` the given one.
        fitted_: What was fitted on held-out rows: a frozen value, which ``fitted_.model_dump()`` shows.
        prior_: ``(n_classes,)`` class frequencies of the rows.
    """

    cv: Any
    estimator: Any
    random_state: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, **fit_params: Any) -> Self:
        """Fit the classifier by parts, then what stands around it, then the classifier on all rows.

        Args:
            X: Rows that the classifier takes.
            y: ``(n,)`` labels.
            sample_weight: ``(n,)`` weights of at least 0; they reach what is fitted here, and the classifier if its
                `fit` takes them (with metadata routing: if it requests them).
            groups: ``(n,)`` what belongs together (patient, site) and stays in one fold.
            **fit_params: For the classifier or the splitter; only with metadata routing.
        """
        X, y = indexable(X, y)
        y = validate_data(self, y=y)
        check_classification_targets(y)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y has only {len(self.classes_)} class; give rows of two classes or more.")
        routed = self._routed(weight, groups, fit_params)
        if isinstance(self.cv, str) and self.cv == "prefit":
            check_is_fitted(self.estimator)
            self.estimator_ = self.estimator
            held = HeldOutputs(logits_of(self.estimator, X, self.classes_), np.arange(len(y)))
        else:
            cv = splitter(self.cv, y, groups is not None, self.random_state)
            held = cross_fitted(self.estimator, cv, X, y, routed.estimator.fit, routed.splitter.split)
            self.estimator_ = clone(self.estimator).fit(X, y, **routed.estimator.fit)
        weight = np.ones(len(y)) if weight is None else weight
        counts = np.bincount(codes, weight, len(self.classes_))
        self.prior_ = counts / counts.sum()
        # A row of weight 0 counts as if it were not there.
        kept = weight[held.row] > 0
        held = HeldOutputs(held.logits[kept], held.row[kept])
        self._fit_around(held, codes, weight, None if groups is None else np.asarray(groups))
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(n, n_classes)`` probabilities in the order of `classes_`."""
        check_is_fitted(self, "estimator_")
        return self._probabilities(logits_of(self.estimator_, X, self.classes_))

    def predict(self, X: Any) -> np.ndarray:
        """``(n,)`` labels."""
        check_is_fitted(self, "estimator_")
        found: np.ndarray = self.classes_[self._codes(self.predict_proba(X))]
        return found

    def get_metadata_routing(self) -> MetadataRouter:
        """Where metadata go: to the classifier's `fit` and to the splitter."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self).add(estimator=self.estimator, method_mapping=mapping)
        if hasattr(self.cv, "split"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        for name in ("sparse", "allow_nan", "string", "categorical", "three_d_array"):
            setattr(tags.input_tags, name, getattr(inner, name))
        return tags

    def _routed(self, weight: np.ndarray | None, groups: Any, fit_params: dict[str, Any]) -> Bunch:
        """The arguments of the classifier's `fit` and of the splitter's `split`."""
        split = {} if groups is None else {"groups": groups}
        if _routing_enabled():
            given = fit_params if weight is None else {**fit_params, "sample_weight": weight}
            routed = process_routing(self, "fit", **given, **(split if hasattr(self.cv, "split") else {}))
            routed.setdefault("splitter", Bunch(split=split))
            return routed
        require(not fit_params, "fit takes more arguments with metadata routing only", given=sorted(fit_params))
        takes_weight = weight is not None and has_fit_parameter(self.estimator, "sample_weight")
        return Bunch(
            estimator=Bunch(fit={"sample_weight": weight} if takes_weight else {}), splitter=Bunch(split=split)
        )

    def _fit_around(self, held: HeldOutputs, codes: np.ndarray, weight: np.ndarray, groups: Any) -> None:
        raise NotImplementedError

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return probabilities(logits, ())

    def _codes(self, outputs: np.ndarray) -> np.ndarray:
        codes: np.ndarray = outputs.argmax(axis=1)
        return codes


class MethodCalibrated(AroundClassifier):
    """A classifier whose probabilities are calibrated; its labels are the most probable classes."""

    method_class: ClassVar[Any]

    def _fit_around(self, held: HeldOutputs, codes: np.ndarray, weight: np.ndarray, groups: Any) -> None:
        self.fitted_ = _method(self).fit(held.logits, codes[held.row], weight[held.row], None)

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return probabilities(logits, [(self.method_class.name, self.fitted_)])


class MethodThreshold(AroundClassifier):
    """A classifier with another decision; its probabilities are the inner classifier's.

    Attributes:
        promises_: What the decision promises on new rows; empty for most decisions.
    """

    method_class: ClassVar[Any]
    metric: str
    positive: Any

    def abstains(self, X: Any) -> np.ndarray:
        """``(n,)`` bool, the rows that the decision leaves to a person.

        Raises:
            AttributeError: It leaves none.
        """
        found: np.ndarray = self.fitted_.abstains(self.predict_proba(X))
        return found

    def _fit_around(self, held: HeldOutputs, codes: np.ndarray, weight: np.ndarray, groups: Any) -> None:
        classes, method = tuple(map(label, self.classes_)), _method(self)
        code = self._positive_code()
        if hasattr(method, "check"):
            method.check(self.metric, classes)
        if groups is None and len(np.unique(held.row)) < len(held.row):
            # Several predictions of one row are not independent.
            groups = np.arange(len(codes))
        rows = DecisionRows(
            probabilities(held.logits, ()),
            codes[held.row],
            weight[held.row],
            names.decision_metric(self.metric, code, classes),
            self.prior_,
            classes,
            None if code is None else classes[code],
            None if groups is None else np.unique(groups, return_inverse=True)[1][held.row],
        )
        self.fitted_ = method.fit(rows)
        self.promises_ = tuple(getattr(self.fitted_, "promises", ()))

    def _positive_code(self) -> int | None:
        if len(self.classes_) > 2:
            return None
        if self.positive is None:
            return int(self.prior_.argmin())
        known = self.classes_ == self.positive
        require(bool(np.any(known)), "positive is a class", positive=self.positive, classes=self.classes_.tolist())
        return int(np.argmax(known))

    def _codes(self, outputs: np.ndarray) -> np.ndarray:
        codes: np.ndarray = self.fitted_(outputs)
        return codes


def made(slot: str, name: str, public_name: str) -> type[AroundClassifier]:
    """The class of one calibration or decision."""
    method: Any = methods.load(slot, name)
    given = settings(method, LEFT_OUT.get(name, ()))
    build, base, own = (
        (_calibrated, MethodCalibrated, OWN)
        if slot == "calibration"
        else (_decided, MethodThreshold, OWN_OF_DECISION + OWN)
    )
    members = {
        "__init__": with_parameters(build, given, ahead="estimator"),
        "__doc__": document(method, given, "estimator: Any classifier of scikit-learn's form.\n" + own),
        "__module__": "rarebird.decide",
        "method_class": method,
        "_fields": tuple(one.name for one in given),
    }
    return type(public_name, (base,), members)


def _method(self: Any) -> Any:
    return self.method_class(**{name: getattr(self, name) for name in self._fields})


def _calibrated(self: Any, *, cv: Any = None, random_state: Any = None, **fields: Any) -> None:
    self.cv, self.random_state = cv, random_state
    for name, value in fields.items():
        setattr(self, name, value)


def _decided(
    self: Any,
    *,
    metric: str = "balanced_accuracy",
    positive: Any = None,
    cv: Any = None,
    random_state: Any = None,
    **fields: Any,
) -> None:
    self.metric, self.positive = metric, positive
    _calibrated(self, cv=cv, random_state=random_state, **fields)
