"""Frames and two-dimensional arrays -> the rows of a table, typed as the cells of a file are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rarebird.data.dataset import Frame
from rarebird.data.schema import Reading, Schema
from rarebird.readers import frames, typed_columns
from rarebird.readers.site import File, row_number

if TYPE_CHECKING:
    import pandas as pd


def read(frame: pd.DataFrame, where: str, schema: Schema | None) -> tuple[Frame, Reading, list[str]]:
    """A frame of any types as the rows of a table, how its cells were read, and notes for the user.

    Args:
        frame: Any frame.
        where: Its name in messages.
        schema: Of the training rows; None: it is learned.

    Raises:
        DataError: For the reasons of `frames.plain`.
    """
    import pandas as pd

    file, raw = File(where, row_number), frames.plain(frame, where)
    if schema is None:
        typed = typed_columns.learn(raw, file)
        schema = Schema(columns=typed.forms)
    else:
        typed = typed_columns.follow(raw, schema, file)
    values = pd.DataFrame(typed.values, index=pd.RangeIndex(len(frame)))
    return Frame(values), Reading(schema, typed.lost, typed.unseen), typed.notes


def frame_of(array: np.ndarray, letter: str) -> pd.DataFrame:
    """``(n, columns)`` of any type as a frame, whose columns are called by a letter and their places.

    NumPy turns numbers among texts into texts; `read` reads them back.
    """
    import pandas as pd

    cells = array.astype(str).astype(object) if array.dtype.kind in "US" else array
    return pd.DataFrame(cells, columns=[f"{letter}{place}" for place in range(array.shape[1])]).infer_objects()
