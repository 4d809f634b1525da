"""What a fitted module has whose state is no tensors."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class TextModule(Protocol):
    """A fitted module that is saved as text instead of tensors."""

    def to_text(self) -> str: ...
