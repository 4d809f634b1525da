"""A forest as plain arrays: how it predicts, and the check that arrays from a file are trees on a row's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, require
from rarebird.methods.reference._interval_quantiles import interval_quantiles, n_quantiles
from rarebird.methods.reference._tree_reference import at_least_one_column
from rarebird.slots.tree_ensembles import TreeEnsemble

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs

# Smaller shares are set to this one: a forest of a few hundred trees cannot distinguish them from 0.
LEAST_SHARE = 1e-3
# Categories of a column that have a column each.
MOST_COLUMNS = 32
# Name of columns that were computed before.
COLUMNS = "columns"
# How far a share may be above 1 by rounding.
SLACK = 1e-6
# Paths of a row through a tree that are followed at a time, which bounds the memory.
PATHS = 2**20
# The arrays, tree after tree. Per node: the column that it splits on (-1 for a leaf), the threshold, the positions of
# its children (for a leaf, `left` is its number among the leaves); positions of the roots. Per leaf, only the classes
# of its rows have a share, because a leaf of twenty rows has few of two hundred classes.
ARRAYS = {
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "roots": np.int32,
    "share_start": np.int64,
    "share_class": np.int32,
    "share": np.float32,
}
NODES = ("feature", "threshold", "left", "right", "roots")


class Forest(nn.Module):
    """Fitted trees in place of a network: ``forward(x: Inputs) -> logits (batch, n_outputs)``, without parameters.

    Args:
        arrays: As in `ARRAYS`.
        spec: Shapes of the rows.
    """

    def __init__(self, arrays: dict[str, np.ndarray], spec: InputSpec) -> None:
        from scipy.sparse import csr_array

        super().__init__()
        self.arrays, self.spec = arrays, spec
        leaves = len(arrays["share_start"]) - 1
        shares = (arrays["share"].astype(np.float64), arrays["share_class"], arrays["share_start"])
        self._shares = csr_array(shares, shape=(leaves, spec.n_outputs))

    def forward(self, x: Inputs) -> Tensor:
        """Logarithms of the classes' shares; the mean of the leaves for regression."""
        columns = columns_of(x, self.spec)
        at_once = max(1, PATHS // len(self.arrays["roots"]))
        parts = [self._mean(columns[start : start + at_once]) for start in range(0, len(columns), at_once)]
        shares = np.concatenate(parts) if parts else np.zeros((0, self.spec.n_outputs))
        return self.of_sums(torch.from_numpy(shares)).float()

    def of_sums(self, sums: Tensor) -> Tensor:
        """The outputs from the means over the trees."""
        if self.spec.task == "regression":
            return sums
        shares = sums.clamp(min=LEAST_SHARE)
        return (shares / shares.sum(dim=1, keepdim=True)).log()

    def _mean(self, columns: np.ndarray) -> np.ndarray:
        """``(n, n_outputs)`` mean over the trees of the leaves' shares."""
        from scipy.sparse import csr_array

        arrays, n, trees = self.arrays, len(columns), len(self.arrays["roots"])
        rows = np.arange(n)[:, None]
        node = np.repeat(arrays["roots"][None, :], n, axis=0)
        while (inner := arrays["feature"][node] >= 0).any():
            goes_left = columns[rows, arrays["feature"][node]] <= arrays["threshold"][node]
            node = np.where(inner, np.where(goes_left, arrays["left"][node], arrays["right"][node]), node)
        leaf = arrays["left"][node].ravel()
        reached = csr_array((np.ones(leaf.size), leaf, np.arange(n + 1) * trees), shape=(n, self._shares.shape[0]))
        mean: np.ndarray = (reached @ self._shares).toarray() / trees
        return mean

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays of a model's file."""
        return self.arrays

    def tree_columns(self, x: Inputs) -> Tensor:
        """``(batch, columns)`` float32 of a table."""
        return table_columns(x, self.spec)

    def tree_ensemble(self) -> TreeEnsemble:
        """The trees, whose sum is the mean of their shares.

        Raises:
            DataError: The columns are quantiles of series.
        """
        if self.spec.kind == "series":
            raise DataError(
                "This model holds trees on quantiles of series and their spectra (quant), which an ONNX file cannot "
                "compute to the last bit; distil it to a network first: rarebird compress MODEL --steps distill."
            )
        arrays, n = self.arrays, len(self.arrays["feature"])
        inner = arrays["feature"] >= 0
        leaves = np.flatnonzero(~inner)
        return TreeEnsemble(
            roots=arrays["roots"].astype(np.int64),
            feature=arrays["feature"].astype(np.int64),
            threshold=arrays["threshold"],
            equal=np.zeros(n, dtype=bool),
            missing_left=np.zeros(n, dtype=bool),
            left=np.where(inner, arrays["left"], 0).astype(np.int64),
            right=np.where(inner, arrays["right"], 0).astype(np.int64),
            leaf=np.repeat(leaves, np.diff(arrays["share_start"])),
            output=arrays["share_class"].astype(np.int64),
            value=(arrays["share"].astype(np.float64) / len(arrays["roots"])).astype(np.float32),
            n_outputs=self.spec.n_outputs,
        )


def columns_of(x: Inputs, spec: InputSpec) -> np.ndarray:
    """``(n, columns)`` float32. Of a table: numbers, marks of missing numbers, a column per category or its rank; of a
    series: quantiles of its intervals, unless the inputs have them already (see `with_columns`)."""
    if COLUMNS in x:
        ready: np.ndarray = x[COLUMNS].numpy()
        return ready
    if spec.kind == "series":
        return interval_quantiles(x["values"], x["lengths"], spec.length)
    table: np.ndarray = table_columns(x, spec).cpu().numpy()
    return table


def with_columns(x: Inputs, spec: InputSpec) -> Inputs:
    """The inputs with their columns, where these take long to compute: those of series."""
    return {**x, COLUMNS: torch.from_numpy(columns_of(x, spec))} if spec.kind == "series" else x


def table_columns(x: Inputs, spec: InputSpec) -> Tensor:
    """`columns_of` a table, as a tensor and in operations that torch can trace."""
    parts = [x["numbers"].float(), x["missing"].float()]
    for place, codes in enumerate(spec.cardinalities):
        category = x["categories"][:, place]
        each = torch.arange(codes, device=category.device)
        one_hot = (category[:, None] == each).float()
        parts.append(one_hot if codes <= MOST_COLUMNS else category[:, None].float())
    return at_least_one_column(torch.cat(parts, dim=1))


def n_columns(spec: InputSpec) -> int:
    """The number of columns of `columns_of`."""
    if spec.kind == "series":
        return spec.channels * n_quantiles(spec.length)
    return max(1, 2 * spec.n_numbers + sum(codes if codes <= MOST_COLUMNS else 1 for codes in spec.cardinalities))


def arrays_of(nodes: Mapping[str, np.ndarray], value: np.ndarray) -> dict[str, np.ndarray]:
    """A forest's arrays.

    Args:
        nodes: `NODES`, without the leaves' numbers.
        value: ``(nodes, n_outputs)`` shares of the classes, or means; only those of the leaves count.
    """
    leaf = nodes["feature"] < 0
    shares = value[leaf]
    row, column = np.nonzero(shares)
    left = np.where(leaf, np.cumsum(leaf) - 1, nodes["left"])
    arrays = {
        **nodes,
        "left": left,
        "share_start": np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(shares)))]),
        "share_class": column,
        "share": shares[row, column],
    }
    return {name: np.asarray(arrays[name], dtype=kind) for name, kind in ARRAYS.items()}


def joined(forests: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of forests one after the other."""
    nodes = np.cumsum([0, *(len(one["feature"]) for one in forests)])
    leaves = np.cumsum([0, *(len(one["share_start"]) - 1 for one in forests)])
    shares = np.cumsum([0, *(len(one["share"]) for one in forests)])
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    for place, one in enumerate(forests):
        inner = one["feature"] >= 0
        moved = {
            "left": one["left"] + np.where(inner, nodes[place], leaves[place]),
            "right": one["right"] + np.where(inner, nodes[place], 0),
            "roots": one["roots"] + nodes[place],
            "share_start": one["share_start"][1:] + shares[place],
        }
        for name in ARRAYS:
            parts[name].append(moved.get(name, one[name]))
    parts["share_start"].insert(0, np.zeros(1, np.int64))
    return {name: np.concatenate(parts[name]).astype(kind) for name, kind in ARRAYS.items()}


def check(arrays: Mapping[str, np.ndarray], spec: InputSpec) -> None:
    """Check that arrays are trees on a row's columns; children come after parents, so that every path ends at a leaf.

    Raises:
        ValueError: They are not.
    """
    fits = set(arrays) == set(ARRAYS) and all(
        arrays[name].dtype == kind and arrays[name].ndim == 1 for name, kind in ARRAYS.items()
    )
    require(fits, "a forest has its arrays", arrays=sorted(arrays)[:10])
    _check_nodes(arrays, spec)
    start, classes, share = arrays["share_start"], arrays["share_class"], arrays["share"]
    leaves = int((arrays["feature"] < 0).sum())
    bounds = len(start) == leaves + 1 and start[0] == 0 and start[-1] == len(share) == len(classes)
    require(bool(bounds) and bool((np.diff(start) >= 0).all()), "one entry per leaf", leaves=leaves)
    known = (classes >= 0) & (classes < spec.n_outputs)
    require(bool(known.all()), "shares are of the classes", classes=spec.n_outputs)
    is_share = spec.task == "regression" or bool(((share >= 0) & (share <= 1 + SLACK)).all())
    require(is_share, "shares of classes are between 0 and 1", leaves=leaves)
    for name in ("threshold", "share"):
        require(bool(np.isfinite(arrays[name]).all()), "numbers are finite", array=name)


def _check_nodes(arrays: Mapping[str, np.ndarray], spec: InputSpec) -> None:
    nodes, inner, roots = len(arrays["feature"]), arrays["feature"] >= 0, arrays["roots"]
    flat = all(len(arrays[name]) == nodes for name in ("threshold", "left", "right"))
    require(nodes > 0 and flat, "one entry per node", nodes=nodes)
    columns = n_columns(spec)
    known = (arrays["feature"] >= -1) & (arrays["feature"] < columns)
    require(bool(known.all()), "trees split at the columns of a row", columns=columns)
    place = np.arange(nodes)[inner]
    for name in ("left", "right"):
        child = arrays[name][inner]
        require(bool(((child > place) & (child < nodes)).all()), "a child comes after its parent", array=name)
    numbered = arrays["left"][~inner] == np.arange(int((~inner).sum()))
    require(bool(numbered.all()), "leaves are numbered", leaves=len(numbered))
    is_node = len(roots) > 0 and bool(((roots >= 0) & (roots < nodes)).all())
    require(is_node, "roots are nodes", roots=len(roots))
