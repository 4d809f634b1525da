"""How what is no plain network gets into a model's folder and back: a reference's fitted module as text or as arrays
beside the networks' weights, a quantized network as ONNX. What reads them checks everything first, because a file may
come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

import numpy as np

from rarebird.data.spec import InputSpec

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class TextModule(Protocol):
    """A fitted module that is saved as text."""

    def to_text(self) -> str: ...


@runtime_checkable
class ArrayModule(Protocol):
    """A fitted module that is saved as arrays."""

    def to_arrays(self) -> dict[str, np.ndarray]: ...


@runtime_checkable
class OnnxModule(Protocol):
    """A network that is saved as an ONNX file."""

    def to_onnx(self) -> bytes: ...


Precision = Literal["float32", "float16", "bfloat16"]


def stored_precision(network: nn.Module) -> Precision:
    """The precision in which a network's weights are saved; it has the values of that precision already."""
    return cast("Precision", getattr(network, "stored_precision", "float32"))


def channel_widths(network: nn.Module) -> dict[str, int] | None:
    """Group -> channels that remain, of a network that was narrowed; None of one that was not."""
    return cast("dict[str, int] | None", getattr(network, "channel_widths", None))


@runtime_checkable
class TextReference(Protocol):
    """A reference whose modules are read from text."""

    def from_text(self, text: str, spec: InputSpec) -> nn.Module: ...


@runtime_checkable
class ArrayReference(Protocol):
    """A reference whose modules are read from arrays."""

    def from_arrays(self, arrays: Mapping[str, np.ndarray], spec: InputSpec) -> nn.Module: ...
