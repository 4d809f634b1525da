"""The rows of ``--unlabeled``: read as the training rows are; labels in them are ignored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rarebird.data.dataset import Curves, Dataset, Pixels, Splits
from rarebird.data.spec import InputSpec
from rarebird.model import rows as model_rows
from rarebird.readers import unlabeled
from rarebird.readers.options import ReadOptions

ROLE = "unlabeled rows"


def read(path: Path, train: Dataset, options: ReadOptions) -> Splits:
    """The rows of a pool, as the reader gives them; those of its training part where it comes split.

    Args:
        path: The pool.
        train: Training rows, whose kind, target, channels, size of pictures and spellings hold.
        options: How the training rows were read.

    Raises:
        DataError: The pool cannot be read, or is of another kind.
    """
    options = replace(options, role=ROLE, target=None, schema=train.known_schema, kind=None, task=None)
    options = replace(options, groups=None, groups_pattern=None, weight=None, time=None, gap=None)
    return model_rows.read(_spec(train), train.target, path, labelled=False, options=options)


def with_unlabeled(data: Splits, path: Path, options: ReadOptions) -> Splits:
    """The rows of a request with the pool of its ``--unlabeled``.

    Raises:
        DataError: The pool cannot be used.
    """
    found = read(path, data.train, options)
    pool, notes = unlabeled.fitted(found.train, data.train)
    new = (note for note in (*found.notes, *notes) if note not in data.notes)
    return replace(data, unlabeled=pool, notes=(*data.notes, *new))


def _spec(train: Dataset) -> InputSpec:
    """What a reader must know of the training rows."""
    shape: dict[str, int] = {}
    if isinstance(train.source, Pixels):
        shape = dict(zip(("channels", "height", "width"), train.source.array.shape[1:], strict=True))
    elif isinstance(train.source, Curves):
        shape = {"channels": train.source.values.shape[1], "length": train.source.values.shape[2]}
    return InputSpec(kind=train.kind, task=train.task, n_outputs=max(train.n_classes, 1), **shape)
