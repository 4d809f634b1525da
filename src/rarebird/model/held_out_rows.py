"""Held-out rows that a model keeps: their predictions and labels, without features; a decision is fitted anew to them,
and prediction sets and intervals get their promise from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core.checks import require

FILE = "held_out.safetensors"


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """Rows with the predictions of networks that never saw them.

    Attributes:
        outputs: ``(n, n_classes)`` calibrated probabilities, or ``(n, 1)`` values.
        y: ``(n,)`` class codes, or values.
        weight: ``(n,)`` sample weights.
        group: ``(n,)`` ints, equal for rows that are not independent; None where all rows are.
        member: ``(n,)`` the place of the model's member that predicts each row; None where no single member does, but
            means of several.
    """

    outputs: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    group: np.ndarray | None = None
    member: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def where(self, chosen: np.ndarray) -> HeldOutRows:
        """The chosen rows, ``(n,)`` bool."""
        parts = (self.outputs, self.y, self.weight, self.group, self.member)
        return HeldOutRows(*(None if part is None else part[chosen] for part in parts))  # type: ignore[arg-type]

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, as a file holds them."""
        parts = {"outputs": self.outputs, "y": self.y, "weight": self.weight}
        optional = {"group": self.group, "member": self.member}
        found = parts | {name: part for name, part in optional.items() if part is not None}
        return {name: np.ascontiguousarray(part) for name, part in found.items()}


def write(rows: HeldOutRows, path: Path) -> None:
    """Write the rows as a safetensors file."""
    from safetensors.numpy import save

    # `save_file` would make a file that its owner alone may read.
    path.write_bytes(save(rows.tensors()))


def read(path: Path, n_outputs: int, is_classes: bool, n_members: int) -> HeldOutRows | None:
    """The rows of a file; None if there is no file, as in models of earlier versions.

    Args:
        path: The file.
        n_outputs: Outputs of the model.
        is_classes: Whether the model predicts classes.
        n_members: Members of the model.

    Raises:
        ValueError: The file does not fit the model.
    """
    from safetensors.numpy import load_file

    if not path.is_file():
        return None
    found: dict[str, Any] = load_file(path)
    require(
        set(found) <= {"outputs", "y", "weight", "group", "member"}, "held-out rows have known parts", parts=list(found)
    )
    rows = HeldOutRows(found["outputs"], found["y"], found["weight"], found.get("group"), found.get("member"))
    _check(rows, n_outputs, is_classes, n_members)
    return rows


def _check(rows: HeldOutRows, n_outputs: int, is_classes: bool, n_members: int) -> None:
    n = len(rows.y)
    require(rows.outputs.shape == (n, n_outputs), "one output per class and row", shape=rows.outputs.shape)
    for name, part in rows.tensors().items():
        require(len(part) == n and bool(np.isfinite(part).all()), "held-out rows are whole and finite", part=name)
    require(bool((rows.weight >= 0).all()), "weights >= 0", part="weight")
    for name, codes, most in (("y", rows.y if is_classes else None, n_outputs), ("member", rows.member, n_members)):
        if codes is not None and n:
            require(
                codes.dtype.kind == "i" and codes.min() >= 0 and codes.max() < most,
                f"{name} are codes below {most}",
                low=codes.min(),
                high=codes.max(),
            )
