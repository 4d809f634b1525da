"""A list of picture files with what is known of each, before any is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.data.dataset import Task


@dataclass(frozen=True)
class Listing:
    """The picture files of one part of a data set.

    Attributes:
        where: Name in messages: the folder or CSV.
        name: The name of the data set in reports.
        target: The name of the label.
        files: n paths.
        ids: The user's names of the n pictures.
        task: The task that `y` is for.
        y: ``(n,)`` codes into `classes` or numbers; None without labels.
        classes: The class labels.
        weight, group, time: ``(n,)`` or None.
    """

    where: str
    name: str
    target: str
    files: Sequence[Path]
    ids: Sequence[str]
    task: Task = "classification"
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    weight: np.ndarray | None = None
    group: np.ndarray | None = None
    time: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Listing:
        """Some of the pictures, in the order of `rows` ``(k,)``."""
        values = {name: getattr(self, name) for name in ("y", "weight", "group", "time")}
        kept: dict[str, Any] = {name: None if value is None else value[rows] for name, value in values.items()}
        return replace(self, files=[self.files[row] for row in rows], ids=[self.ids[row] for row in rows], **kept)
