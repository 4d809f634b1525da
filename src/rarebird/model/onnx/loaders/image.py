"""Predicts with an exported model of pictures; needs numpy and onnxruntime. `predict(model, pixels)`, pixels as in the
JSON file: uint8, or float32 in 0..1."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime

from rarebird.model.onnx.loaders.outputs import named


def predict(model: str, rows: np.ndarray, coverage: float | None = None) -> dict[str, Any]:
    """Output name -> array; `label` has class names; with a coverage, `set` has the classes of each row's set,
    or `interval` the ends of its interval.
    Pictures must have the size that the model was trained on."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["rarebird"])
    names = [output.name for output in session.get_outputs()]
    return named(about, dict(zip(names, session.run(names, {"pixels": rows}), strict=True)), coverage)
