"""Augmentations as callables on batches of tensors: ``from rarebird.augment import Compose, Rotate``."""

from __future__ import annotations

from typing import Any

from rarebird.slots.faces import Face

FACE = Face("rarebird.augment", {"augmentation": ""}, "rarebird.augment.compose:made", {}, {"Compose": "compose"})
__all__ = FACE.everything


def __getattr__(name: str) -> Any:
    return FACE.look_up(name)


def __dir__() -> list[str]:
    return __all__
