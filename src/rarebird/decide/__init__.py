"""Calibrations and decisions as estimators of scikit-learn, around any classifier: ``from rarebird.decide import
ConstrainedThreshold``."""

from __future__ import annotations

from typing import Any

from rarebird.slots.faces import Face

FACE = Face(
    "rarebird.decide",
    {"calibration": "Calibrated", "decision": "Threshold"},
    "rarebird.decide.around:made",
    {"threshold": "Metric"},
    {"PriorCorrected": "prior_corrected"},
    ("prior_correction",),
)
__all__ = FACE.everything


def __getattr__(name: str) -> Any:
    return FACE.look_up(name)


def __dir__() -> list[str]:
    return __all__
