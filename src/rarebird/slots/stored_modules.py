"""How a reference's fitted module gets into a model's folder and back: as text, or as arrays beside the networks'
weights. What reads them checks everything first, because a file may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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
class TextReference(Protocol):
    """A reference whose modules are read from text."""

    def from_text(self, text: str, spec: InputSpec) -> nn.Module: ...


@runtime_checkable
class ArrayReference(Protocol):
    """A reference whose modules are read from arrays."""

    def from_arrays(self, arrays: Mapping[str, np.ndarray], spec: InputSpec) -> nn.Module: ...
