"""Augmentations of the slot `augmentation` for batches of tensors, alone or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from rarebird.core.checks import DataError, require
from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.slots import methods
from rarebird.slots.faces import document, settings, with_parameters
from rarebird.slots.protocols import Inputs, TrainStatistics

SHAPES = {
    "image": "pictures (batch, channels, height, width)",
    "series": "series (batch, channels, length)",
    "table": "standardized numbers (batch, columns)",
}
KIND_OF_AXES = {4: "image", 3: "series", 2: "table"}
OWN = ""


class MethodAugmentation:
    """What all augmentations share; a class of `rarebird.augment` adds its method.

    Attributes:
        method: The method's settings.
    """

    method_class: ClassVar[Any]
    method: Any

    def __call__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Any:
        """An augmented batch: see `Compose.__call__`, which also takes what some augmentations need to know."""
        return Compose([self])(x, y, weight, lengths=lengths, generator=generator)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.method)
        return f"{type(self).__name__}({values})"


class Compose:
    """Augmentations that are applied one after the other; neighboring affine ones are one resampling.

    Augment batches of training rows only. A batch may be on any device, and each row of it gets its own draws.

    Args:
        augmentations: Of `rarebird.augment`, in their order.
        n_classes: Classes of integer targets, for augmentations that blend targets.
        class_counts: ``(n_classes,)`` training rows of each class, for `Remix`.
        mean: ``(channels,)`` mean of the training pictures' pixels in 0..1, which `Erase` fills in.
        std: ``(channels,)`` their standard deviation, the unit of `Noise` and `Brightness`; 1 without it.
    """

    def __init__(
        self,
        augmentations: Sequence[MethodAugmentation],
        *,
        n_classes: int | None = None,
        class_counts: Sequence[float] | np.ndarray | Tensor | None = None,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
    ) -> None:
        for one in augmentations:
            require(isinstance(one, MethodAugmentation), "augmentations are of rarebird.augment", given=one)
        on_features = {getattr(one.method, "on_features", False) for one in augmentations}
        require(len(on_features) < 2, "augmentations are all of inputs or all of features", given=list(augmentations))
        self.augmentations, self.n_classes, self.mean, self.std = tuple(augmentations), n_classes, mean, std
        self.class_counts = None if class_counts is None else np.asarray(class_counts, dtype=np.float64)
        if self.n_classes is None and self.class_counts is not None:
            self.n_classes = len(self.class_counts)
        self.on_features = on_features == {True}
        self._bound: dict[tuple[Any, ...], Pipeline] = {}

    def __call__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Any:
        """An augmented batch; the given tensors do not change.

        Args:
            x: ``(batch, channels, height, width)`` pictures, uint8 in 0..255 or floats in 0..1; ``(batch, channels,
                length)`` standardized series; ``(batch, columns)`` standardized numbers, or features of a network.
            y: ``(batch,)`` class codes or ``(batch, n_classes)`` shares of the classes; None where no augmentation
                looks at targets.
            weight: ``(batch,)`` weights of the rows; None for all ones.
            lengths: ``(batch,)`` steps of each series; None: all of them.
            generator: On the device of `x`; None: one that follows torch's own, and so `torch.manual_seed`.

        Returns:
            The rows (pictures as floats in 0..1); a tuple of the rows and the targets where `y` was given, and of the
            weights too where `weight` was. Targets that were blended are shares of the classes.

        Raises:
            DataError: An augmentation is for rows of another kind, or needs targets or their number of classes.
        """
        require(len(x) > 0 and x.ndim in KIND_OF_AXES, "x is a batch of 2 to 4 axes", shape=tuple(x.shape))
        generator = _following_torch(x.device) if generator is None else generator
        soft = self._soft(y, x)
        ones = torch.ones(len(x), device=x.device) if weight is None else weight
        if self.on_features:
            rows, targets, weights = self._features(x, soft, ones, generator)
        else:
            kind = KIND_OF_AXES[x.ndim]
            pipeline = self._pipeline(kind, tuple(x.shape[1:]), soft.shape[1])
            inputs, targets, weights = pipeline(_inputs(kind, x, lengths), soft, ones, generator)
            rows = next(iter(inputs.values()))
        return self._returned(rows, (y, soft, targets), (weight, weights))

    def __getstate__(self) -> dict[str, Any]:
        # What is bound holds functions, which cannot be pickled; it is bound again.
        return {**self.__dict__, "_bound": {}}

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.augmentations))}])"

    def _soft(self, y: Tensor | None, x: Tensor) -> Tensor:
        """``(batch, n_classes)`` targets; without any, those of one class."""
        if y is None:
            return torch.ones(len(x), 1, device=x.device)
        require(len(y) == len(x), "one target per row", rows=len(x), targets=len(y))
        if y.ndim == 2:
            return y
        n_classes = self.n_classes or int(y.max()) + 1
        soft: Tensor = torch.nn.functional.one_hot(y.long(), n_classes).to(x.device, torch.float32)
        return soft

    def _pipeline(self, kind: str, shape: tuple[int, ...], n_outputs: int) -> Pipeline:
        """The bound augmentations for rows of one shape."""
        key = (kind, shape, n_outputs)
        if key not in self._bound:
            for one in self.augmentations:
                kinds = methods.kinds("augmentation", one.method.name)
                if kind not in kinds:
                    valid, given = " or ".join(SHAPES[each] for each in kinds), ", ".join(map(str, shape))
                    raise DataError(f"{type(one).__name__} is for {valid}, but x has the shape (batch, {given}).")
            self._bound[key] = Pipeline([one.method for one in self.augmentations], self._statistics(*key))
        return self._bound[key]

    def _statistics(self, kind: Any, shape: tuple[int, ...], n_outputs: int) -> TrainStatistics:
        sizes: dict[str, dict[str, Any]] = {
            "image": dict(zip(("channels", "height", "width"), shape, strict=False), mean=self.mean, std=self.std),
            "series": dict(zip(("channels", "length"), shape, strict=False)),
            "table": {"n_numbers": shape[0]},
        }
        spec = InputSpec(kind=kind, task="classification", n_outputs=n_outputs, **sizes[kind])
        return TrainStatistics(spec, np.ones(n_outputs) if self.class_counts is None else self.class_counts)

    def _features(
        self, x: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features of a network, through which gradients flow."""
        require(x.ndim == 2 and x.is_floating_point(), "features are (batch, width) floats", shape=tuple(x.shape))
        spec = InputSpec(kind="table", task="classification", n_outputs=y.shape[1])
        for one in self.augmentations:
            x, y, weight = one.method.bind(TrainStatistics(spec))(x, y, weight, generator)
        return x, y, weight

    def _returned(
        self,
        rows: Tensor,
        y: tuple[Tensor | None, Tensor, Tensor],
        weight: tuple[Tensor | None, Tensor],
    ) -> Any:
        """What the caller gets back of the rows, of the targets (given, as shares, augmented), and of the weights."""
        given, soft, augmented = y
        if augmented is not soft and given is None:
            raise DataError(f"{self!r} blends targets, too; give y.")
        if augmented is not soft and given is not None and given.ndim == 1 and self.n_classes is None:
            raise DataError(f"{self!r} blends targets; give Compose n_classes, or y as shares of the classes.")
        if given is None:
            return rows
        targets = given if augmented is soft else augmented
        return (rows, targets) if weight[0] is None else (rows, targets, weight[1])


def made(slot: str, name: str, public_name: str) -> type[MethodAugmentation]:
    """The class of one augmentation."""
    method: Any = methods.load(slot, name)
    given = settings(method)

    def build(self: MethodAugmentation, **fields: Any) -> None:
        self.method = method(**fields)

    members = {
        "__init__": with_parameters(build, given),
        "__doc__": document(method, given, OWN),
        "__module__": "rarebird.augment",
        "method_class": method,
    }
    return type(public_name, (MethodAugmentation,), members)


def _following_torch(device: torch.device) -> torch.Generator:
    """A generator on a device, seeded by torch's own."""
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, ())))


def _inputs(kind: str, x: Tensor, lengths: Tensor | None) -> Inputs:
    if kind == "image":
        return {"pixels": x}
    if kind == "series":
        own = torch.full((len(x),), x.shape[-1], device=x.device) if lengths is None else lengths
        return {"values": x, "lengths": own}
    none = torch.zeros(len(x), 0, dtype=torch.int64, device=x.device)
    return {"numbers": x, "missing": torch.zeros_like(x), "categories": none}
