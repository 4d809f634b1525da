"""The names of metrics: what each one scores, whether it fits a task, and the figure that a decision is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Task
from rarebird.metrics import calibration, confusion, ranking, regression
from rarebird.metrics.confusion import Counts

Figure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric.

    Attributes:
        name: A key of `METRICS`.
        needs: ``labels`` or ``probabilities`` of classes, or predicted ``values`` of regression.
        larger_is_better: False for losses and errors.
    """

    name: str
    needs: Literal["labels", "probabilities", "values"]
    larger_is_better: bool = True


def _of(
    per_class: Callable[[Counts], np.ndarray], macro: Callable[[Counts], np.ndarray]
) -> Callable[[Counts, int | None], np.ndarray]:
    """The positive class's figure, or the macro mean where there is no positive class."""
    return lambda counts, positive: macro(counts) if positive is None else per_class(counts)[positive]


def _overall(figure: Callable[[Counts], np.ndarray]) -> Callable[[Counts, int | None], np.ndarray]:
    return lambda counts, _: figure(counts)


PER_CLASS: dict[str, Callable[[Counts], np.ndarray]] = {
    "recall": confusion.recall,
    "precision": confusion.precision,
    "f1": confusion.f1,
}

# Name -> figure. Arguments: the sums per class, and the positive class (None for more than two classes).
OF_LABELS: dict[str, Callable[[Counts, int | None], np.ndarray]] = {
    "balanced_accuracy": _overall(confusion.balanced_accuracy),
    "accuracy": _overall(confusion.accuracy),
    "macro_f1": _overall(confusion.macro_f1),
    "macro_precision": _overall(confusion.macro_precision),
    "f1": _of(confusion.f1, confusion.macro_f1),
    "precision": _of(confusion.precision, confusion.macro_precision),
    "recall": _of(confusion.recall, confusion.balanced_accuracy),
    "sensitivity": _of(confusion.recall, confusion.balanced_accuracy),
    "specificity": _of(confusion.specificity, confusion.macro_specificity),
    "matthews_corrcoef": _overall(confusion.matthews_corrcoef),
    "geometric_mean": _overall(confusion.geometric_mean),
}

# Arguments: true codes, probabilities and weights.
OF_PROBABILITIES: dict[str, Figure] = {
    "log_loss": calibration.log_loss,
    "brier_score": calibration.brier_score,
    "expected_calibration_error": calibration.expected_calibration_error,
}

# In the order in which `ranking.areas` gives them; it computes both at once.
OF_RANKING: tuple[str, ...] = (ranking.roc_auc.__name__, ranking.average_precision.__name__)

# Arguments: true values, predicted values and weights.
OF_VALUES: dict[str, Figure] = {
    "mean_squared_error": regression.mean_squared_error,
    "root_mean_squared_error": regression.root_mean_squared_error,
    "mean_absolute_error": regression.mean_absolute_error,
    "r2": regression.r2,
}

METRICS: dict[str, Metric] = (
    {name: Metric(name, "labels") for name in OF_LABELS}
    | {name: Metric(name, "probabilities") for name in OF_RANKING}
    | {name: Metric(name, "probabilities", larger_is_better=False) for name in OF_PROBABILITIES}
    | {name: Metric(name, "values", larger_is_better=name == "r2") for name in OF_VALUES}
)


# Names that other tools give to a metric.
OTHER_NAMES = {
    "acc": "accuracy",
    "ap": "average_precision",
    "auc": "roc_auc",
    "auprc": "average_precision",
    "auroc": "roc_auc",
    "bacc": "balanced_accuracy",
    "brier": "brier_score",
    "cross_entropy": "log_loss",
    "ece": "expected_calibration_error",
    "f1_macro": "macro_f1",
    "f1_score": "f1",
    "g_mean": "geometric_mean",
    "gmean": "geometric_mean",
    "logloss": "log_loss",
    "mae": "mean_absolute_error",
    "mcc": "matthews_corrcoef",
    "mse": "mean_squared_error",
    "nll": "log_loss",
    "pr_auc": "average_precision",
    "prauc": "average_precision",
    "ppv": "precision",
    "rmse": "root_mean_squared_error",
    "tnr": "specificity",
    "tpr": "recall",
}


def metric(name: str, classes: Sequence[str] = ()) -> Metric:
    """The metric called `name`; ``recall:CLASS``, ``precision:CLASS`` and ``f1:CLASS`` are the figures of one class.

    Args:
        name: A key of `METRICS`, or one of the three with a class label after the colon.
        classes: The class labels, against which CLASS is checked.

    Raises:
        DataError: There is no such metric, or no such class; the message names the nearest valid one.
    """
    figure, colon, label = name.partition(":")
    if colon and figure in PER_CLASS:
        _code(name, classes)
        return Metric(name, "labels")
    if name not in METRICS:
        other = OTHER_NAMES.get(name.lower().replace("-", "_"))
        if other is not None:
            raise DataError(f"There is no metric {name!r}; did you mean {other!r}?")
        of_class = [f"{known}:{label or 'CLASS'}" for known in PER_CLASS]
        raise DataError(f"There is no metric {name!r}; {nearest(name, [*METRICS, *of_class])}")
    return METRICS[name]


def metric_for_task(name: str, task: Task, classes: Sequence[str] = ()) -> Metric:
    """The metric called `name`, which must fit the task: the one place where this is checked.

    Args:
        name: As for `metric`.
        task: ``classification`` or ``regression``.
        classes: The class labels; empty for regression.

    Raises:
        DataError: There is no such metric or class, or the metric does not fit the task; the message lists those that
            do.
    """
    known = metric(name, classes)
    if not _fits(known, task):
        fitting = [other for other, one in METRICS.items() if _fits(one, task)]
        raise DataError(f"The metric {name!r} does not judge {task}; use one of {', '.join(fitting)}.")
    return known


# Metrics that a model maximizes which tells no class from another -> the floor that makes sense of each.
TRIVIAL = {"recall": "precision", "sensitivity": "precision", "specificity": "recall", "precision": "recall"}


def check_needs_no_floor(name: str, classes: Sequence[str]) -> None:
    """Check that a decision may be fitted to a metric alone.

    The recall of one class is 1 where every row gets its label, and its precision is best where a single row does. Of
    more than two classes, `recall` without a class is the mean over the classes, which no single label maximizes.

    Raises:
        DataError: One label for all rows, or for hardly any, maximizes the metric.
    """
    figure, colon, label = name.partition(":")
    if figure not in TRIVIAL or not (colon or len(classes) == 2):
        return
    which = f" of {label!r}" if colon else ""
    floor = TRIVIAL[figure]
    why = "a single sure row" if figure == "precision" else "one label for all rows"
    named = f" and --set decision.label={label}" if colon else ""
    asked = f"--set decision=constrained, --set decision.{floor}=0.5{named}"
    raise DataError(
        f"The metric {name!r} alone is no goal for a decision, because {why} makes it 1; ask for the best "
        f"{figure}{which} at a floor of {floor} with {asked}, or choose f1."
    )


def decision_metric(
    name: str, positive: int | None, classes: Sequence[str] = ()
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], float]:
    """The figure that a decision is fitted to: ``(y, predicted, weight) -> float``, larger is better.

    An undefined figure (the precision of a class that is never predicted) counts as 0, so that it is never preferred.

    Args:
        name: A metric of labels.
        positive: Code of the positive class for two classes; None for more.
        classes: The class labels, needed for ``recall:CLASS`` and the like; with more than two, `positive` does not
            matter.

    Raises:
        DataError: There is no such metric or class, or the metric scores probabilities or numbers, which no decision
            changes.
    """
    if metric(name, classes).needs != "labels":
        raise DataError(
            f"The metric {name!r} does not judge decisions, which are labels; choose a metric of labels, such as "
            "balanced_accuracy."
        )
    head, colon, _ = name.partition(":")
    code = _code(name, classes) if colon else None if len(classes) > 2 else positive
    figure = OF_LABELS[head]

    def score(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
        n_classes = max(int(y.max(initial=0)), int(predicted.max(initial=0)), -1 if code is None else code) + 1
        return float(np.nan_to_num(figure(confusion.tally(y, predicted, n_classes, weight), code)))

    return score


def value(
    name: str,
    y: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    classes: Sequence[str] = (),
    positive: str | None = None,
) -> float:
    """One metric of one set of rows, without an interval; NaN where it is undefined.

    Args:
        name: A metric.
        y: ``(n,)`` true codes, or values.
        outputs: ``(n, n_classes)`` probabilities, or ``(n, 1)`` values.
        labels: ``(n,)`` predicted codes, after the decision.
        weight: ``(n,)`` sample weights.
        classes: The class labels; empty for regression.
        positive: Label of the positive class, for two classes; None: the rarer class in `y`.
    """
    known = metric(name, classes)
    if known.needs == "values":
        return float(OF_VALUES[name](y, outputs[:, 0], weight))
    if name in OF_PROBABILITIES:
        return float(OF_PROBABILITIES[name](y, outputs, weight))
    code = None
    if len(classes) == 2:
        code = int(np.bincount(y, minlength=2).argmin()) if positive is None else list(classes).index(positive)
    if known.needs == "probabilities":
        return float(ranking.areas(y, outputs, weight, code)[OF_RANKING.index(name)])
    head, colon, _ = name.partition(":")
    counts = confusion.tally(y, labels, len(classes), weight)
    return float((PER_CLASS[head](counts)[_code(name, classes)]) if colon else OF_LABELS[head](counts, code))


def _fits(known: Metric, task: Task) -> bool:
    return (known.needs == "values") == (task == "regression")


def _code(name: str, classes: Sequence[str]) -> int:
    label = name.partition(":")[2]
    if label not in classes:
        raise DataError(
            f"The metric {name!r} asks for class {label!r}, but there is no such class; {nearest(label, classes)}"
        )
    return list(classes).index(label)
