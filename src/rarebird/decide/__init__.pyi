# Written by `make faces`.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from rarebird.decide.around import MethodCalibrated
from rarebird.decide.around import MethodThreshold
from rarebird.decide.prior_corrected import PriorCorrected as PriorCorrected

__all__ = ["AbstainThreshold", "ArgmaxThreshold", "BalancedThreshold", "BetaCalibrated", "ChosenCalibrated", "ClassScaleBiasCalibrated", "ConstrainedThreshold", "CostThreshold", "IsotonicCalibrated", "MetricThreshold", "PriorCorrected", "TemperatureCalibrated"]

class BetaCalibrated(MethodCalibrated):
    r"""Beta: three numbers per class, which bend probabilities near 0 and near 1 in different ways.

    Args:
        prior_rows: Strength of the ridge on the two slopes of each class, in rows.
        estimator: Any classifier of scikit-learn's form.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        prior_rows: float = 10.0,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class ChosenCalibrated(MethodCalibrated):
    r"""Chosen: temperature with a scale and bias per class, beta or isotonic, whichever has the least held-out log loss.

    Args:
        fewest: The least held-out rows of each class.
        estimator: Any classifier of scikit-learn's form.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        fewest: int = 200,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class ClassScaleBiasCalibrated(MethodCalibrated):
    r"""Class scale and bias: two numbers per class, for a network whose prior is unknown.

    Args:
        scale_rows: Strength of the ridge on each class's deviation from the common scale, in rows.
        bias_rows: Strength of the ridge on each class's bias, in rows.
        estimator: Any classifier of scikit-learn's form.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        scale_rows: float = 20.0,
        bias_rows: float = 0.5,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class IsotonicCalibrated(MethodCalibrated):
    r"""Isotonic: any rising curve from stated to observed frequencies, one per class.

    Args:
        prior_rows: Weight of the stated frequency in each step, in rows.
        estimator: Any classifier of scikit-learn's form.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        prior_rows: float = 5.0,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class TemperatureCalibrated(MethodCalibrated):
    r"""Temperature: one number that makes a network as confident as it is accurate.

    Args:
        prior_rows: Weight of the prior on ``1 / T``, in rows; 0 fits the rows alone.
        estimator: Any classifier of scikit-learn's form.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        prior_rows: float = 5.0,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class AbstainThreshold(MethodThreshold):
    r"""Abstain: rows whose label is too unsure are left to a person.

    Args:
        share: The share of rows that are left.
        error: The most labels that may be wrong among those given, as a share; or one for each label.
        labels: The decision that gives the labels: its name, or a table with its settings.
        confidence: The probability with which the error holds on new rows.
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        share: float | None = None,
        error: float | dict[str, float] | None = None,
        labels: str | dict[str, Any] = 'argmax',
        confidence: float = 0.9,
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class ArgmaxThreshold(MethodThreshold):
    r"""Argmax: the most probable class.

    Args:
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class BalancedThreshold(MethodThreshold):
    r"""Balanced: the class whose probability is largest in proportion to its class frequency.

    Args:
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class ConstrainedThreshold(MethodThreshold):
    r"""Constrained: the best of one figure of a class under floors of others, which hold on new rows with confidence.

    Args:
        label: The class; None: the positive one of two, or the rarest.
        precision: The least that each must be.
        recall: The least that each must be.
        specificity: The least that each must be.
        alerts: The most rows per 1000 that may get the label.
        maximize: ``recall``, ``precision``, ``specificity``, or ``f1``, ``f2``, ``f0.5`` and so on; None: precision under a floor of recall, otherwise recall.
        confidence: The probability with which all floors hold on new rows.
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        label: str | None = None,
        precision: float | None = None,
        recall: float | None = None,
        specificity: float | None = None,
        alerts: float | None = None,
        maximize: str | None = None,
        confidence: float = 0.9,
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class CostThreshold(MethodThreshold):
    r"""Cost: the label of least expected cost, by what each mistake costs.

    Args:
        costs: True class -> label -> cost, ``{ill = {well = 10}, well = {ill = 1}}``; the right label costs 0 unless it is named, and ``*`` stands for all classes that are not. Or a CSV file: its first row has the labels, each other row a true class and its costs.
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        costs: dict[str, dict[str, float]],
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...

class MetricThreshold(MethodThreshold):
    r"""Threshold: cut-offs that maximize any metric of labels on held-out rows.

    Args:
        estimator: Any classifier of scikit-learn's form.
        metric: What the decision serves where it serves a metric, such as ``macro_f1`` or ``recall:LABEL``.
        positive: The positive class of two; None: the rarer.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows given to
            `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups` are given.
        random_state: Seed of the folds that `cv` leaves open.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = 'balanced_accuracy',
        positive: Any = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None: ...
