"""Losses as plain torch modules, for anybody's loop: ``from rarebird.losses import FocalLoss``."""

from __future__ import annotations

from typing import Any

from rarebird.slots.faces import Face

FACE = Face("rarebird.losses", {"loss": "Loss"}, "rarebird.losses.module:made", {}, {})
__all__ = FACE.everything


def __getattr__(name: str) -> Any:
    return FACE.look_up(name)


def __dir__() -> list[str]:
    return __all__
