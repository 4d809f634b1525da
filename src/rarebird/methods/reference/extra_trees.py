"""Extremely randomized trees: a forest with random thresholds, whose class shares are averaged.

Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 2006, as scikit-learn implements them. A
class's share is the mean over the leaves of all trees; its logarithm is the logit.

*Helps when* rows are few and columns are informative but noisy: hundreds of weak trees vary less than boosting, which
fits single rows; in an ensemble with networks and boosted trees it lowers the log loss more than any other member.

*Does not help when* rows are many (boosting is then better), or trends are smooth and few columns matter, as in linear
data.

Cost: a second on a few thousand rows; a text of a few megabytes. Saved as JSON, never as a pickle.

NOTE[DIFF]: leaves have at least two rows, and with more than 2000 rows at least a thousandth of them, so that the text
stays small. Missing numbers become the mean, with a mark as a second column; each category of a column with up to 32
values has a column of its own, more values become one column of ranks in frequency.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import require
from rarebird.methods.reference._tree_reference import TreeReference, TreeRows, at_least_one_column
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs, RoundProgress

KINDS = ("table",)
# Smaller shares are set to this one: a forest of a few hundred trees cannot distinguish them from 0.
LEAST_SHARE = 1e-3
ROWS_PER_LEAF, MOST_COLUMNS = 1_000, 32
# Trees that are grown before the progress callback is asked again whether to end.
CHUNK = 20
# How far a share may be above 1 by rounding.
SLACK = 1e-6
ARRAYS = ("feature", "threshold", "left", "right", "value", "roots")


class ExtraTrees(TreeReference):
    """Settings of the forest.

    Attributes:
        rounds: Number of trees; the recipe's `steps` replace it once they are planned.
        fewest_rows: Smallest number of rows in a leaf; at least a thousandth of all rows.
        column_share: Share of the columns that each split considers; 0 for the square root of their number, or for
            regression all of them.
    """

    rounds: Annotated[int, Int(100, 500, log=True)] = Field(default=200, ge=1, le=100_000)
    fewest_rows: Annotated[int, Int(1, 20, log=True)] = Field(default=2, ge=1)
    column_share: Annotated[float, Float(0.0, 1.0)] = Field(default=0.0, ge=0, le=1)

    def grow(self, rows: TreeRows, rounds: int, seed: int, threads: int, progress: RoundProgress) -> Forest:
        """The forest; True from `progress` makes the chunk of trees that has just been grown the last one."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        classes = rows.spec.task == "classification"
        forest = (ExtraTreesClassifier if classes else ExtraTreesRegressor)(
            min_samples_leaf=max(self.fewest_rows, len(rows.target) // ROWS_PER_LEAF),
            max_features=self.column_share or ("sqrt" if classes else 1.0),
            random_state=seed,
            n_jobs=threads,
            warm_start=True,
        )
        columns, target = columns_of(rows.x, rows.spec), rows.target if classes else rows.target.astype(np.float64)
        done = 0
        for grown in [*range(CHUNK, rounds, CHUNK), rounds]:
            forest.set_params(n_estimators=grown)
            forest.fit(columns, target, sample_weight=rows.weight.astype(np.float64))
            # One call for each tree, so that the caller can count the trees.
            answers = [progress(tree / rounds) for tree in range(done + 1, grown + 1)]
            if any(answers):
                break
            done = grown
        known = forest.classes_ if classes else np.zeros(1, dtype=np.int64)
        return Forest(_arrays([tree.tree_ for tree in forest.estimators_], known, rows.spec), rows.spec)

    def from_text(self, text: str, spec: InputSpec) -> Forest:
        """A forest from its JSON text.

        Raises:
            ValueError: The text does not contain a forest, or a forest for other data.
        """
        try:
            plain = json.loads(text)
        except RecursionError:
            plain = None
        require(
            isinstance(plain, dict) and set(plain) == set(ARRAYS), "a forest's text has its arrays", begins=text[:20]
        )
        arrays = {name: _array(name, plain[name]) for name in ARRAYS}
        check(arrays, spec)
        return Forest(arrays, spec)


class Forest(nn.Module):
    """Fitted trees in place of a network: ``forward(x: Inputs) -> logits (batch, n_outputs)``, without parameters.

    Args:
        arrays: For each node, tree after tree: the column that it splits on (-1 for a leaf), the threshold, the
            positions of its children and its shares ``(nodes, n_outputs)``; and the positions of the roots.
        spec: Shapes of the rows.
    """

    def __init__(self, arrays: dict[str, np.ndarray], spec: InputSpec) -> None:
        super().__init__()
        self.arrays, self.spec = arrays, spec

    def forward(self, x: Inputs) -> Tensor:
        """Logarithms of the classes' shares; the mean of the leaves for regression."""
        columns, arrays = columns_of(x, self.spec), self.arrays
        rows = np.arange(len(columns))[:, None]
        node = np.repeat(arrays["roots"][None, :], len(columns), axis=0)
        while (inner := arrays["feature"][node] >= 0).any():
            goes_left = columns[rows, arrays["feature"][node]] <= arrays["threshold"][node]
            node = np.where(inner, np.where(goes_left, arrays["left"][node], arrays["right"][node]), node)
        shares = arrays["value"][node].mean(axis=1, dtype=np.float64)
        if self.spec.task == "regression":
            return torch.from_numpy(shares.astype(np.float32))
        shares = shares.clip(LEAST_SHARE, None)
        return torch.from_numpy(np.log(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))

    def to_text(self) -> str:
        """The trees as JSON."""
        plain = {name: self.arrays[name].tolist() for name in ARRAYS}
        for name in ("threshold", "value"):
            # Nine digits give the same float32 again; Python's own text of a float would be longer.
            plain[name] = np.vectorize(lambda value: float(f"{value:.9g}"), otypes=[float])(self.arrays[name]).tolist()
        return json.dumps(plain, separators=(",", ":"))


def columns_of(x: Inputs, spec: InputSpec) -> np.ndarray:
    """``(n, columns)`` float32: numbers, marks of missing numbers, a column per category or its rank."""
    parts = [x["numbers"].float(), x["missing"].float()]
    for place, codes in enumerate(spec.cardinalities):
        category = x["categories"][:, place]
        parts.append(
            nn.functional.one_hot(category, codes).float() if codes <= MOST_COLUMNS else category[:, None].float()
        )
    table: np.ndarray = torch.cat(parts, dim=1).cpu().numpy()
    return at_least_one_column(table)


def check(arrays: dict[str, np.ndarray], spec: InputSpec) -> None:
    """Check that arrays are trees on a table's columns; children come after parents, so that every path ends at a leaf.

    Raises:
        ValueError: They are not.
    """
    nodes, inner = arrays["feature"].size, arrays["feature"] >= 0
    flat = all(arrays[name].shape == (nodes,) for name in ("feature", "threshold", "left", "right"))
    require(nodes > 0 and flat and arrays["value"].shape == (nodes, spec.n_outputs), "one entry per node", nodes=nodes)
    columns = max(1, 2 * spec.n_numbers + sum(codes if codes <= MOST_COLUMNS else 1 for codes in spec.cardinalities))
    known = (arrays["feature"] >= -1) & (arrays["feature"] < columns)
    require(bool(known.all()), "trees split at the table's columns", columns=columns)
    place = np.arange(nodes)[inner]
    for name in ("left", "right"):
        child = arrays[name][inner]
        require(bool(((child > place) & (child < nodes)).all()), "a child comes after its parent", array=name)
    roots = arrays["roots"]
    require(
        roots.ndim == 1 and len(roots) > 0 and bool(((roots >= 0) & (roots < nodes)).all()),
        "roots are nodes",
        roots=roots.size,
    )
    for name in ("threshold", "value"):
        require(bool(np.isfinite(arrays[name]).all()), "numbers are finite", array=name)
    shares = spec.task == "regression" or bool(((arrays["value"] >= 0) & (arrays["value"] <= 1 + SLACK)).all())
    require(shares, "shares of classes are between 0 and 1", nodes=nodes)


def _array(name: str, numbers: Any) -> np.ndarray:
    """An array of a forest's text; numbers too large for its type become infinite.

    Raises:
        ValueError: It is not an array of numbers.
    """
    wanted, kinds = (np.float32, "iuf") if name in ("threshold", "value") else (np.int64, "iu")
    found = np.array(numbers)
    require(found.dtype.kind in kinds, "a forest's arrays hold numbers", array=name, type=str(found.dtype))
    with np.errstate(over="ignore"):
        return found.astype(wanted)


def _arrays(trees: list[Any], known: np.ndarray, spec: InputSpec) -> dict[str, np.ndarray]:
    """scikit-learn's trees as arrays, tree after tree; classes without rows have the share 0."""
    start = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])]).astype(np.int64)
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    value = np.zeros((int(start[-1]), spec.n_outputs), dtype=np.float32)
    value[:, known] = np.concatenate([tree.value[:, 0, :] for tree in trees])
    arrays = {
        "feature": np.where(leaf, -1, np.concatenate([tree.feature for tree in trees])),
        # scikit-learn compares in float64; rounded down to float32, a threshold keeps every float32 row on its side.
        "threshold": _floor32(np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))),
        "value": value,
        "roots": start[:-1],
    }
    for name, children in (("left", "children_left"), ("right", "children_right")):
        moved = np.concatenate([getattr(tree, children) + first for tree, first in zip(trees, start, strict=False)])
        arrays[name] = np.where(leaf, 0, moved)
    return arrays


def _floor32(values: np.ndarray) -> np.ndarray:
    """Each value rounded down to float32."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
