"""A loss of the slot `loss` as a module of torch: ``loss(logits, target)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, require
from rarebird.slots import methods
from rarebird.slots.faces import document, settings, with_parameters
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics

OWN = """\
class_counts: ``(n_classes,)`` training rows of each class, or label -> rows; needed where the loss depends on them.
classes: The class labels in the order of the logits, for settings that are keyed by label; with a mapping of
    `class_counts`, its keys.
reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
"""
OWN_OF_VALUES = """\
values: ``(n,)`` the training rows' targets; needed where the loss depends on them.
reduction: ``mean`` over the rows (weighted, if weights are given), ``sum``, or ``none`` for one number per row.
"""


class MethodLoss(nn.Module):
    """What all losses share; a class of `rarebird.losses` adds its method.

    Attributes:
        method: The method's settings.
        class_counts: ``(n_classes,)`` training rows of each class; None where none were given.
        reduction: ``mean``, ``sum`` or ``none``.
        prior_factor: ``(n_classes,)`` factors by which the loss multiplies the prior of the logits, scaled to mean 1
            over the training rows; None where that is unknown. ``softmax(logits - log(prior_factor))`` has the natural
            prior again.
    """

    method_class: ClassVar[Any]

    def _set_up(self, method: Any, targets: TargetStatistics | None, reduction: str) -> None:
        nn.Module.__init__(self)
        require(reduction in ("mean", "sum", "none"), "reduction is mean, sum or none", reduction=reduction)
        require(
            method.per_row or reduction == "mean",
            f"{method.name} compares pairs of rows: reduction is mean",
            reduction=reduction,
        )
        self.class_counts = None if targets is None else targets.class_counts
        self.method, self.reduction, self._loss = method, reduction, None if targets is None else method.build(targets)
        self.prior_factor: np.ndarray | None = None if targets is None else method.prior_factor(targets)

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            logits: ``(batch, n_classes)``, not probabilities; for numbers ``(batch,)`` or ``(batch, n_outputs)``.
            target: ``(batch,)`` class codes, or ``(batch, n_classes)`` shares of the classes that sum to 1; for
                numbers the shape of `logits`.
            weight: ``(batch,)`` weights of the rows; None for all ones.

        Returns:
            ``()``, or ``(batch,)`` without a reduction.
        """
        logits, target = self._checked(logits, target)
        if self._loss is None:
            # It depends on the number of classes alone, which the first batch shows.
            self._loss = self.method.build(TargetStatistics(np.ones(logits.shape[1]))).to(logits.device)
        if not self.method.per_row:
            pairs: Tensor = self._loss(logits, target, logits.new_ones(len(logits)) if weight is None else weight)
            return pairs
        each: Tensor = self._loss(logits, target)
        each = each if weight is None else each * weight
        if self.reduction == "none":
            return each
        total = each.sum()
        return total if self.reduction == "sum" else total / (len(each) if weight is None else weight.sum())

    def _checked(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and targets in the shape of the loss, ``(batch, n_outputs)`` each.

        Raises:
            ValueError: Their shapes do not fit.
        """
        if "regression" in self.method.tasks:
            logits, target = logits.reshape(len(logits), -1), target.reshape(len(target), -1)
            shapes = {"outputs": tuple(logits.shape), "targets": tuple(target.shape)}
            require(logits.shape == target.shape, "one target per output", **shapes)
            return logits, target
        require(logits.ndim == 2, "logits are (batch, n_classes)", shape=tuple(logits.shape))
        known = 0 if self.class_counts is None else len(self.class_counts)
        require(known in (0, logits.shape[1]), "one class count per logit", counts=known, logits=logits.shape[1])
        return logits, soft_targets(target, logits)

    def extra_repr(self) -> str:
        """The settings."""
        return ", ".join(f"{name}={value!r}" for name, value in self.method if value is not None)


def made(slot: str, name: str, public_name: str) -> type[MethodLoss]:
    """The class of one loss."""
    method: Any = methods.load(slot, name)
    for_classes = "classification" in method.tasks
    given = settings(method)
    build = _for_classes if for_classes else _for_values
    members = {
        "__init__": with_parameters(build, given),
        "__doc__": document(method, given, OWN if for_classes else OWN_OF_VALUES),
        "__module__": "rarebird.losses",
        "method_class": method,
    }
    return type(public_name, (MethodLoss,), members)


def soft_targets(target: Tensor, logits: Tensor) -> Tensor:
    """``(batch, n_classes)`` shares of the classes, from codes ``(batch,)`` or such shares.

    Raises:
        ValueError: The shape does not fit the logits, or a code is no class.
    """
    if target.ndim == 2 and target.shape == logits.shape and target.is_floating_point():
        return target
    require(
        target.ndim == 1 and len(target) == len(logits) and not target.is_floating_point(),
        "target is (batch,) class codes or (batch, n_classes) floats",
        shape=tuple(target.shape),
        dtype=str(target.dtype),
        logits=tuple(logits.shape),
    )
    wide = torch.promote_types(logits.dtype, torch.float32)
    codes = torch.arange(logits.shape[1], device=logits.device)
    soft = (target.to(logits.device)[:, None] == codes).to(wide)
    if target.device.type == "cpu":
        # Elsewhere it would wait for the device; a row of a code that is no class then adds no loss.
        require(
            bool(soft.any(dim=1).all()),
            "0 <= target < n_classes",
            low=int(target.min()),
            high=int(target.max()),
            n_classes=logits.shape[1],
        )
    return soft


def _for_classes(
    self: MethodLoss,
    *,
    class_counts: Mapping[str, float] | Sequence[float] | np.ndarray | Tensor | None = None,
    classes: Sequence[str] = (),
    reduction: Literal["mean", "sum", "none"] = "mean",
    **fields: Any,
) -> None:
    method: Any = self.method_class(**fields)
    if isinstance(class_counts, Mapping):
        classes = tuple(map(str, class_counts))
        class_counts = list(class_counts.values())
    if class_counts is None:
        if depends_on_counts(method):
            raise DataError(
                f"{type(self).__name__} depends on the class frequencies; give class_counts, the training rows of each "
                "class in the order of the logits."
            )
        return self._set_up(method, None, reduction)
    counts = np.asarray(class_counts.detach().cpu() if isinstance(class_counts, Tensor) else class_counts, np.float64)
    require(
        counts.ndim == 1 and bool((counts >= 0).all()),
        "class_counts are (n_classes,), each at least 0",
        class_counts=counts.tolist(),
    )
    require(
        not classes or len(classes) == len(counts),
        "one label per class count",
        classes=tuple(classes),
        class_counts=counts.tolist(),
    )
    return self._set_up(method, TargetStatistics(counts, tuple(map(str, classes))), reduction)


def _for_values(
    self: MethodLoss, *, values: Any = None, reduction: Literal["mean", "sum", "none"] = "mean", **fields: Any
) -> None:
    given = values.detach().cpu() if isinstance(values, Tensor) else values
    targets = TargetStatistics(values=None if given is None else np.asarray(given, dtype=np.float64).ravel())
    try:
        self._set_up(self.method_class(**fields), targets, reduction)
    except ValueError as error:
        if given is None and "values" in str(error):
            raise DataError(
                f"{type(self).__name__} depends on the targets; give values, those of the training rows."
            ) from None
        raise


def depends_on_counts(method: Method) -> bool:
    """Whether a loss is another one where classes have other frequencies: told by trying two."""
    logits = torch.tensor([[1.5, -0.5], [-1.0, 0.25]])
    y, found = torch.eye(2), []
    try:
        for counts in ((1, 1), (1, 9)):
            loss: Any = method.build(TargetStatistics(np.array(counts, dtype=np.float64)))  # type: ignore[attr-defined]
            found.append(loss(logits, y) if method.per_row else loss(logits, y, torch.ones(2)))  # type: ignore[attr-defined]
    except ValueError:
        return True
    return not torch.allclose(*found)
