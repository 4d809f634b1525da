"""Several data sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rarebird.core.checks import require
from rarebird.data.dataset import PER_ROW, Curves, Dataset, Frame, Pixels, Source


def concat(parts: Sequence[Dataset]) -> Dataset:
    """One data set of the rows of all parts, in order, copied into a new source; all parts have the same kind, task and
    classes."""
    first = parts[0]
    require(
        all(part.classes == first.classes and part.kind == first.kind for part in parts),
        "parts have one kind and the same classes",
        kinds=[p.kind for p in parts],
    )
    raws = [part.raw() for part in parts]
    source: Source
    if first.kind == "table":
        import pandas as pd

        source = Frame(pd.concat(raws, ignore_index=True))
    elif first.kind == "image":
        source = Pixels(np.concatenate(raws))
    else:
        length = max(values.shape[2] for values, _ in raws)
        padded = [np.pad(v, ((0, 0), (0, 0), (0, length - v.shape[2])), constant_values=np.nan) for v, _ in raws]
        source = Curves(np.concatenate(padded), np.concatenate([lengths for _, lengths in raws]))

    def joined(part: str) -> np.ndarray | None:
        values = [getattr(p, part) for p in parts]
        if part == "weight" and any(v is not None for v in values):
            values = [p.weights for p in parts]
        if part == "synthetic" and any(v is not None for v in values):
            values = [np.zeros(len(p), bool) if v is None else v for p, v in zip(parts, values, strict=True)]
        return None if any(v is None for v in values) else np.concatenate(values)

    columns: dict[str, Any] = {part: joined(part) for part in PER_ROW}
    return replace(first, source=source, index=np.arange(sum(len(part) for part in parts)), **columns)
