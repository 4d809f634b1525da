"""Predicts with an exported model of series; needs numpy and onnxruntime. `predict(model, values, lengths)`, values
`(n, channels, steps)` with NaN where a value is missing, lengths `(n,)`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime

from rarebird.model.onnx.loaders.outputs import named


def predict(
    model: str, values: np.ndarray, lengths: np.ndarray | None = None, coverage: float | None = None
) -> dict[str, Any]:
    """Output name -> array; `label` has class names; with a coverage, `set` has the classes of each row's set,
    or `interval` the ends of its interval.
    Gaps are filled on the line between their neighbors."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["rarebird"])
    lengths = np.full(len(values), values.shape[2]) if lengths is None else np.asarray(lengths)
    steps, filled = about["length"], values.astype(np.float32)
    for row, channel in np.argwhere(np.isnan(filled).any(axis=2)):
        curve = filled[row, channel, : lengths[row]]
        known = np.flatnonzero(~np.isnan(curve))
        if len(known):
            curve[:] = np.interp(np.arange(len(curve)), known, curve[known])
    wide = np.full((*filled.shape[:2], max(steps, filled.shape[2])), np.nan, dtype=np.float32)
    wide[:, :, : filled.shape[2]] = filled
    names = [output.name for output in session.get_outputs()]
    given = {"values": wide[:, :, :steps], "lengths": np.minimum(lengths, steps).astype(np.int64)}
    return named(about, dict(zip(names, session.run(names, given), strict=True)), coverage)
