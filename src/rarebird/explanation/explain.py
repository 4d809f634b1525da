"""Explains rows: chooses the method that suits a model, and the rows to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError, nearest
from rarebird.core.progress import Progress, part_of, silent
from rarebird.core.python_words import in_python_words
from rarebird.data.dataset import Dataset
from rarebird.explanation import attention_shares, deletion, grad_cam, integrated_gradients, shapley, tree_contributions
from rarebird.explanation.amounts import Amounts, joined
from rarebird.explanation.background import background_rows
from rarebird.explanation.shipped import OUTPUTS, OutputName, ShippedOutput
from rarebird.model.model import Model
from rarebird.model.rows import of_python
from rarebird.slots.protocols import Inputs

METHODS = (
    integrated_gradients.METHOD,
    grad_cam.METHOD,
    tree_contributions.METHOD,
    shapley.METHOD,
    attention_shares.METHOD,
)
# Background rows of a method that compares with them.
BACKGROUND = 8
# Rows whose lines are in memory together.
AT_ONCE = 64


@dataclass(frozen=True)
class Effort:
    """How much a method computes.

    Attributes:
        background: Background rows.
        steps, most_steps: Points of each line of integrated gradients, at first and at most; None: fewer where the
            networks are large.
        orders: Orders of Shapley values, each with its reverse.
        seed: Of the orders.
    """

    background: int = BACKGROUND
    steps: int | None = None
    most_steps: int | None = None
    orders: int = shapley.ORDERS
    seed: int = 0


USUAL = Effort()


class Explainer:
    """Explains rows of one model.

    Args:
        model: The model.
        background: Rows to compare with, of which some are chosen.
        output: ``log_odds`` or ``probability``; for regression it is the value.
        effort: How much is computed.
    """

    def __init__(
        self, model: Model, background: Dataset, output: OutputName = "log_odds", effort: Effort = USUAL
    ) -> None:
        self.shipped = ShippedOutput(model, output)
        self.effort = effort
        self.background = background_rows(model, background, effort.background)
        self._prepared = self.shipped.inputs(self.background)
        self._suits: dict[str, Callable[[], bool]] = {
            integrated_gradients.METHOD: lambda: integrated_gradients.is_differentiable(self.shipped, self._prepared),
            grad_cam.METHOD: lambda: model.spec.kind == "image" and grad_cam.has_maps(self.shipped),
            tree_contributions.METHOD: lambda: tree_contributions.has_contributions(self.shipped),
            shapley.METHOD: lambda: True,
            attention_shares.METHOD: lambda: attention_shares.gives_attention(self.shipped),
        }

    def suits(self, method: str) -> bool:
        """Whether a method can explain this model."""
        return self._suits[method]()

    def main_method(self) -> str:
        """The method whose amounts add up to the output: exact for boosted trees, integrated gradients for networks,
        Shapley values for whatever else."""
        first = (tree_contributions.METHOD, integrated_gradients.METHOD)
        return next((method for method in first if self.suits(method)), shapley.METHOD)

    def methods(self) -> list[str]:
        """The main method, and those that show places beside it."""
        return [self.main_method(), *(one for one in (grad_cam.METHOD, attention_shares.METHOD) if self.suits(one))]

    def checked(self, method: str) -> str:
        """A method's name.

        Raises:
            DataError: There is no such method, or it does not suit the model.
        """
        if method not in METHODS:
            raise DataError(f"There is no method {method!r} of explanation; {nearest(method, METHODS)}")
        if not self.suits(method):
            raise DataError(
                f"The method {method!r} cannot explain this model ({_WHY_NOT[method]}); give one of "
                f"{', '.join(self.methods())}."
            )
        return method

    def explain(self, rows: Dataset, codes: np.ndarray, method: str, progress: Progress = silent) -> Amounts:
        """The amounts of rows by one method that suits the model.

        Args:
            rows: At least one row.
            codes: ``(n,)`` the class that is explained for each; zeros for regression.
            method: Its name.
            progress: Told of the share done.
        """
        parts = []
        for start in range(0, len(rows), AT_ONCE):
            part = np.arange(start, min(start + AT_ONCE, len(rows)))
            each = self.shipped.inputs(rows.take(part))
            told = part_of(progress, start / len(rows), len(part) / len(rows))
            parts.append(self.explain_inputs(each, codes[part], method, told))
        return joined(parts)

    def explain_inputs(
        self, each: list[Inputs], codes: np.ndarray, method: str, progress: Progress = silent
    ) -> Amounts:
        """The same of prepared rows, from `shipped.inputs`."""
        effort = self.effort
        if method == integrated_gradients.METHOD:
            return integrated_gradients.integrated_gradients(
                self.shipped, each, self._prepared, codes, effort.steps, effort.most_steps, progress
            )
        if method == shapley.METHOD:
            draw = rng.stream(effort.seed, "explanation", "orders")
            return shapley.shapley(self.shipped, each, self._prepared, codes, draw, effort.orders, progress)
        if method == tree_contributions.METHOD:
            return tree_contributions.tree_contributions(self.shipped, each, codes)
        if method == grad_cam.METHOD:
            return grad_cam.grad_cam(self.shipped, each, codes)
        return attention_shares.attention_shares(self.shipped, each, codes)

    def deletion_curve(self, each: list[Inputs], codes: np.ndarray, order: np.ndarray) -> np.ndarray:
        """`deletion.deletion_curve` of prepared rows against the background rows."""
        return deletion.deletion_curve(self.shipped, each, self._prepared, codes, order)


_WHY_NOT = {
    integrated_gradients.METHOD: "a part of it has no gradient with respect to its inputs",
    grad_cam.METHOD: "not all of it are convolutional networks of pictures",
    tree_contributions.METHOD: "not all of it are boosted trees",
    attention_shares.METHOD: "not all of it are transformers",
}


@in_python_words
def explain(
    model: Model,
    rows: Any,
    *,
    background: Any = None,
    label: str | None = None,
    method: str = "auto",
    output: OutputName = "log_odds",
    effort: Effort = USUAL,
) -> Amounts:
    """What each pixel, step or column of rows contributes to the model's output.

    The output is what the model ships: averaged over its members, corrected to the natural prior and calibrated.

    Args:
        model: From `rarebird.load`, or an outcome's.
        rows: A path, a frame, arrays as for `rarebird.from_arrays`, or a `Dataset`.
        background: Rows to compare with, such as training rows; None: the rows themselves.
        label: The class that is explained; None: of each row the one that the model decides for.
        method: ``integrated_gradients``, ``grad_cam``, ``tree_shap``, ``shapley``, ``attention``, or ``auto``: the one
            that suits the model and adds up to the output.
        output: ``log_odds`` or ``probability`` of the class; for regression it is the predicted value.
        effort: How much is computed.

    Raises:
        DataError: The rows cannot be read, or there is no such class or method for this model.
    """
    given = of_python(model.spec, model.target, rows, model.row_schema).data
    against = given if background is None else of_python(model.spec, model.target, background, model.row_schema).data
    if not len(given):
        raise DataError("There are no rows to explain.")
    check_output(model, output)
    explainer = Explainer(model, against, output, effort)
    chosen = explainer.main_method() if method == "auto" else explainer.checked(method)
    return explainer.explain(given, explained_codes(model, given, label), chosen)


def explained_codes(model: Model, rows: Dataset, label: str | None) -> np.ndarray:
    """``(n,)`` the class that is explained for each row: the given one, or the one that the model decides for.

    Raises:
        DataError: The model knows no such class, or predicts a number.
    """
    if label is not None:
        return np.full(len(rows), class_code(model, label))
    if not model.classes:
        return np.zeros(len(rows), dtype=np.int64)
    return np.asarray(model.labels(model.outputs(rows), rows), dtype=np.int64)


def class_code(model: Model, label: str) -> int:
    """The code of a class.

    Raises:
        DataError: The model knows no such class, or predicts a number.
    """
    if not model.classes:
        raise DataError("The model predicts a number, so that no --class can be explained; leave it out.")
    if label not in model.classes:
        raise DataError(f"The model knows no class {label!r}; {nearest(label, model.classes)}")
    return model.classes.index(label)


def check_output(model: Model, output: str) -> None:
    """Refuse an output that does not exist.

    Raises:
        DataError: There is no such output.
    """
    if output not in (*OUTPUTS, "value"):
        raise DataError(f"There is no --output {output!r}; {nearest(output, OUTPUTS)}")
    if model.classes and output == "value":
        raise DataError("The model predicts classes; --output is log_odds or probability.")
