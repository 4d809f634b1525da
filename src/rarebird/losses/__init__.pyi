# Written by `make faces`.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from rarebird.losses.module import MethodLoss

__all__ = ["AUCLoss", "AsymmetricLoss", "BalancedSoftmaxLoss", "ClassBalancedLoss", "CrossEntropyLoss", "DensityWeightedLoss", "DistillationLoss", "FocalLoss", "HuberLoss", "LDAMLoss", "LabelAwareSmoothingLoss", "LogitAdjustedLoss", "MeanSquaredLoss", "VectorScalingLoss", "WeightedLoss"]

class AsymmetricLoss(MethodLoss):
    r"""Asymmetric loss: other classes count less where they are easy, the row's own class always counts.

    Args:
        gamma_negative: Power for the classes that a row does not belong to.
        gamma_positive: Power for the row's own class; at 0 its weight is never lowered.
        margin: Probability below which a class that a row does not belong to adds no loss.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        gamma_negative: float = 4.0,
        gamma_positive: float = 0.0,
        margin: float = 0.05,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class AUCLoss(MethodLoss):
    r"""AUC: every row of one class should score above every row of the other class, by a margin.

    Args:
        margin: Difference of scores beyond which a pair adds no loss.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        margin: float = 1.0,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class BalancedSoftmaxLoss(MethodLoss):
    r"""Balanced softmax: the softmax that would hold if all classes were equally frequent.

    Args:
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class ClassBalancedLoss(MethodLoss):
    r"""Class-balanced cross entropy: rows are weighted by the effective number of rows of their class.

    Args:
        beta: 0 is cross entropy; at .999 a class of 1000 rows or more is weighted much as one of 1000.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        beta: float = 0.999,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class CrossEntropyLoss(MethodLoss):
    r"""Cross entropy: every row counts the same, whatever its class; the baseline for classes.

    Args:
        label_smoothing: Share of each row's target that is spread evenly over all classes.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class DensityWeightedLoss(MethodLoss):
    r"""Density-weighted squared error: rows whose target is rare count more.

    Args:
        alpha: 0 is `mean_squared`; at 1 the most common target has nearly no weight.
        values: ``(n,)`` the training rows' targets; needed where the loss depends on them.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.9,
        values: Any = None,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class DistillationLoss(MethodLoss):
    r"""Distillation: the network learns a teacher's softened probabilities.

    Args:
        temperature: What the logits are divided by; 1 is cross entropy. The targets must be softened at the same temperature.
        hard_share: Share of the loss that is taken at temperature 1; 1 is cross entropy.
        standardized: Whether the logits are standardized before the temperature.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        temperature: float = 2.0,
        hard_share: float = 0.0,
        standardized: bool = False,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class FocalLoss(MethodLoss):
    r"""Focal loss: rows that are already well classified count less.

    Args:
        gamma: 0 is cross entropy; at 2 a row with ``p = .9`` counts one hundredth.
        alpha: Weights of the classes: ``balanced`` (as `weighted`), ``effective_number`` (as `class_balanced`), class label -> weight, or for two classes a number in 0..1 for the rarer class, and the rest for the other.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: Literal["balanced", "effective_number"] | float | dict[str, float] | None = None,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class HuberLoss(MethodLoss):
    r"""Huber: squared error for small errors, absolute error for large ones.

    Args:
        delta: In standard deviations of the target.
        values: ``(n,)`` the training rows' targets; needed where the loss depends on them.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        delta: float = 1.0,
        values: Any = None,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class LabelAwareSmoothingLoss(MethodLoss):
    r"""Label-aware smoothing: labels of frequent classes are smoothed more than those of rare ones.

    Args:
        head: Share of the largest class's targets that goes to the other classes.
        tail: The same for the rarest class.
        curve: How the share rises with the class's rows in between.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        head: float = 0.3,
        tail: float = 0.0,
        curve: Literal["concave", "linear", "convex"] = 'concave',
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class LDAMLoss(MethodLoss):
    r"""LDAM: rarer classes must be recognized with a larger margin.

    Args:
        max_margin: Margin of the rarest class, before `scale`; 0 is cross entropy.
        scale: Factor of all margins, in units of the network's logits.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class LogitAdjustedLoss(MethodLoss):
    r"""Logit-adjusted cross entropy: rows of rarer classes must reach a larger margin.

    Args:
        tau: 0 is cross entropy, 1 aims at balanced accuracy.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        tau: float = 1.0,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class MeanSquaredLoss(MethodLoss):
    r"""Mean squared error: for targets that are numbers; the baseline for regression.

    Args:
        values: ``(n,)`` the training rows' targets; needed where the loss depends on them.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        values: Any = None,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class VectorScalingLoss(MethodLoss):
    r"""Vector scaling: logits of rarer classes are scaled down and shifted in training, so that they must grow larger.

    Args:
        gamma: Power of the class frequencies in the factors; 0 is `logit_adjusted`.
        tau: How much of the prior is removed from the logits; at 0 only the factors act.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        gamma: float = 0.1,
        tau: float = 1.0,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...

class WeightedLoss(MethodLoss):
    r"""Weighted cross entropy: rows of rarer classes count more.

    Args:
        scheme: How weights follow from the class counts.
        class_weight: Class label -> weight, in place of the scheme; every label of the data and no other.
        class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
        classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
            `class_counts`, its keys.
        reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
    """

    def __init__(
        self,
        *,
        scheme: Literal["balanced", "inverse_square_root"] = 'balanced',
        class_weight: dict[str, float] | None = None,
        class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
        classes: Sequence[str] = ...,
        reduction: Literal['mean', 'sum', 'none'] = 'mean',
    ) -> None: ...
