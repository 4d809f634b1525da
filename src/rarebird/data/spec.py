"""Shapes and scales of the inputs, learned by `prepare` from the training rows: all that a network is built from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class InputSpec(BaseModel):
    """Shapes and scales of the prepared inputs.

    Attributes:
        n_outputs: Logits per row: the number of classes (two classes have two logits), or 1 for regression.
        channels: Channels of a picture or series.
        height, width: Sides of a picture in pixels.
        length: Steps of the longest series.
        mean, std: Per channel, of pixels in 0..1; the network standardizes its pixels with them. Series and tables
            arrive standardized.
        n_numbers: Numerical columns of a table.
        bins: Per numerical column, increasing bin edges (training quantiles) for piecewise-linear encoding, at least
            two.
        cardinalities: Per categorical column, number of codes; code 0 is for unseen and missing values.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["image", "table", "series"]
    task: Literal["classification", "regression"]
    n_outputs: int
    channels: int = 0
    height: int = 0
    width: int = 0
    length: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    n_numbers: int = 0
    bins: tuple[tuple[float, ...], ...] = ()
    cardinalities: tuple[int, ...] = ()
