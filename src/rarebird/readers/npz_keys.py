"""How the arrays of an archive are named: `train_images` and `train_labels` as in MedMNIST, `x_train` and `y_train` as
in Keras' examples, or `X` and `y` of rows that are not split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rarebird.core.checks import DataError, some

PARTS = {"train": ("train",), "val": ("val", "valid", "validation", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class PartKeys:
    """The keys of one part.

    Attributes:
        part: ``train``, ``val`` or ``test``; empty for rows that are not split.
        pattern: Of the keys, ``train_{}`` or ``{}_train``; ``{}`` for rows that are not split.
        rows, labels: What stands for these two in the pattern.
    """

    part: str = ""
    pattern: str = "{}"
    rows: str = "X"
    labels: str = "y"

    def key(self, name: str) -> str:
        """The key of the rows, the labels, or of another array such as ``groups``."""
        return self.pattern.format(name)

    @property
    def is_of_pictures(self) -> bool:
        """Whether the names alone say that the rows are pictures."""
        return self.rows == "images"


def found(names: Sequence[str], path: Path, needs_train: bool) -> list[PartKeys]:
    """The parts of an archive, training rows first.

    Args:
        names: All keys.
        path: For messages.
        needs_train: Whether training rows must be among the parts of a split archive.

    Raises:
        DataError: There are no rows, or no training rows.
    """
    keys = _of_pictures(names) or ([PartKeys()] if "X" in names else _as_keras(names))
    if not keys:
        given = some(map(repr, names)) or "no keys"
        raise DataError(
            f"{path} has none of the keys 'train_images', 'x_train' and 'X', but {given}; rename its arrays."
        )
    if keys[0].part in ("val", "test") and needs_train:
        first = keys[0].pattern.replace(keys[0].part, "train").format(keys[0].rows)
        raise DataError(
            f"{path} has no key {first!r}, but {some(map(repr, names))}; give the training rows under that key."
        )
    return keys


def _of_pictures(names: Sequence[str]) -> list[PartKeys]:
    return [PartKeys(part, part + "_{}", "images", "labels") for part in PARTS if f"{part}_images" in names]


def _as_keras(names: Sequence[str]) -> list[PartKeys]:
    """Keys such as ``x_train`` and ``y_train``, in capitals or not."""
    given: dict[str, str] = {}  # x_train -> X_train
    for name in names:
        given.setdefault(name.lower(), name)
    keys = []
    for part, words in PARTS.items():
        rows = next((given[f"x_{word}"] for word in words if f"x_{word}" in given), None)
        if rows is not None:
            after = rows[2:]
            labels = "Y" if f"Y_{after}" in names else "y"
            keys.append(PartKeys(part, "{}_" + after, rows[0], labels))
    return keys
