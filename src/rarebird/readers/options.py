"""Options of the readers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rarebird.data.dataset import Kind, Task

if TYPE_CHECKING:
    from rarebird.data.schema import Schema


@dataclass(frozen=True)
class ReadOptions:
    """How to read a data set.

    Attributes:
        kind: Overrides the guess from the path.
        task: Overrides the guess from the target's values.
        target: Column of a table that holds the target; None: the column ``target``, if it exists.
        groups: Column that groups rows (patient, track, site).
        groups_pattern: Regular expression with a group, searched in file names (pictures); of alternatives, each has
            one.
        weight: Column of sample weights.
        time: Column to split by in time order.
        gap: How much earlier than the first held-out row a row must be to be trained on, such as ``7d`` or a number.
        pictures: Folder of the pictures that a CSV lists; None: the CSV's own folder.
        names: Column of a table that stays text as it is written, because it names files; None: there is none.
        channels_last: Whether series in an archive are ``(n, steps, channels)``.
        channels: Channels of series, as a trained model needs them; None: those of the data.
        image_size: Working side of pictures in pixels; None: decided by the pictures' own sizes.
        largest_side: Of the working side, where the pictures' own sizes decide it; None: 96.
        image_shape: Exact (channels, height, width), as a trained model needs them; overrides `image_size`.
        cache: Folder for decoded pictures that do not fit in memory; None: a temporary folder.
        on_disk: Whether rows of Parquet and pictures stay on disk also where they fit into memory.
        deadline: When pictures must be decoded, on the scale of `time.monotonic`; None for no limit. What cannot be
            decoded by then is left out, with a note.
        schema: How the cells of a table are written, learned from the training rows; None: it is learned.
        labelled: False for prediction, where the target may be absent and is ignored.
        role: Name of the rows in messages: ``training rows``, ``test rows``.
        has_test: Whether test rows of another path are given, so that those beside the training rows are not asked for.
    """

    kind: Kind | None = None
    task: Task | None = None
    target: str | None = None
    groups: str | None = None
    groups_pattern: str | None = None
    weight: str | None = None
    time: str | None = None
    gap: str | None = None
    pictures: Path | None = None
    names: str | None = None
    channels_last: bool = False
    channels: int | None = None
    image_size: int | None = None
    largest_side: int | None = None
    image_shape: tuple[int, int, int] | None = None
    cache: Path | None = None
    on_disk: bool = False
    deadline: float | None = None
    schema: Schema | None = None
    labelled: bool = True
    role: str = "training rows"
    has_test: bool = False

    @property
    def target_name(self) -> str:
        """The column of a table that holds the target, if it exists."""
        return self.target if self.target is not None else "target"


def remembered_target(path: Path, kind: Kind, target: str) -> str | None:
    """The target's name in the training data, if it also names a column of `path`: in tables only; other formats have
    their own names."""
    return target if kind == "table" and path.suffix.lower() != ".npz" else None
