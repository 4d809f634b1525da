"""Fitted trees as plain arrays, whatever grew them: what an exported file holds of a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from rarebird.slots.protocols import Inputs


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """Trees on float32 columns, whose leaves' values are added up. Positions are those in the arrays of nodes.

    Attributes:
        roots: ``(trees,)`` int, the first node of each tree; a tree's nodes follow its root.
        feature: ``(nodes,)`` int, the column of a node's question; -1 for a leaf.
        threshold: ``(nodes,)`` float32: a row goes left where its cell is at most this, or
        equal: ``(nodes,)`` bool: where its cell is equal to this.
        missing_left: ``(nodes,)`` bool, whether a row without a number goes left.
        left: ``(nodes,)`` int positions of children, 0 for leaves. Several nodes may have one child.
        right: ``(nodes,)`` int positions of children, 0 for leaves.
        leaf: ``(values,)`` int, the leaf of each value.
        output: ``(values,)`` int, the output that it is added to.
        value: ``(values,)`` float32.
        n_outputs: Outputs of the sum.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    equal: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    output: np.ndarray
    value: np.ndarray
    n_outputs: int


@runtime_checkable
class TreeModule(Protocol):
    """A fitted module made of trees. ``forward(x)`` equals ``of_sums(sums of the trees on tree_columns(x))``."""

    def tree_columns(self, x: Inputs) -> Tensor:
        """``(batch, columns)`` float32, NaN where a number is missing; in operations that torch can trace."""
        ...

    def tree_ensemble(self) -> TreeEnsemble:
        """The trees.

        Raises:
            DataError: They cannot be exported; the message has the reason.
        """
        ...

    def of_sums(self, sums: Tensor) -> Tensor:
        """``(batch, n_outputs)`` raw outputs from the sums over the trees; in operations that torch can trace."""
        ...


def rounded_down(values: np.ndarray) -> np.ndarray:
    """Each value rounded down to float32. As a threshold it keeps every float32 row on the same side."""
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
