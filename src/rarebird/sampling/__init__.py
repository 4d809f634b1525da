"""Resamplings as samplers of imbalanced-learn: ``from rarebird.sampling import SMOTE``."""

from __future__ import annotations

from typing import Any

from rarebird.slots.faces import Face

# `imbalanced_learn` is that library's own samplers.
FACE = Face(
    "rarebird.sampling",
    {"resampling": ""},
    "rarebird.sampling.sampler:made",
    {"over": "OverSampler", "under": "UnderSampler"},
    {},
    ("imbalanced_learn",),
)
__all__ = FACE.everything


def __getattr__(name: str) -> Any:
    return FACE.look_up(name)


def __dir__() -> list[str]:
    return __all__
