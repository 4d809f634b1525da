"""Grows forests of extremely randomized trees by scikit-learn, and keeps them as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.methods.reference._forest import Forest, arrays_of, check, columns_of, joined, with_columns
from rarebird.methods.reference._tree_reference import TreeReference, TreeRows
from rarebird.slots.tree_ensembles import rounded_down

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs, RoundProgress

# Most trees that are grown before the progress callback is asked again whether to end; it is asked after the first
# tree, which may take long, and then after twice as many trees each time.
CHUNK = 20
# With more rows than this for each row of a leaf, leaves are larger, so that the arrays stay small.
ROWS_PER_LEAF = 1_000


class ForestReference(TreeReference):
    """Settings of a forest; a subclass says in `options` how its trees grow."""

    def prepared(self, x: Inputs, spec: InputSpec) -> Inputs:
        """The inputs for `fit`, with what takes long to compute."""
        return with_columns(x, spec)

    def grow(self, rows: TreeRows, rounds: int, seed: int, threads: int, progress: RoundProgress) -> Forest:
        """The forest; True from `progress` makes the chunk of trees that has just been grown the last one."""
        return grown(rows, rounds, seed, threads, progress, self.options(rows))

    def options(self, rows: TreeRows) -> dict[str, Any]:
        """Settings of the forest for these rows, as scikit-learn names them."""
        raise NotImplementedError

    def from_arrays(self, arrays: Mapping[str, np.ndarray], spec: InputSpec) -> Forest:
        """A forest from the arrays of a model's file.

        Raises:
            ValueError: They are not a forest, or a forest for other data.
        """
        check(arrays, spec)
        return Forest(dict(arrays), spec)


def smallest_leaf(fewest: int, rows: TreeRows) -> int:
    """Fewest rows in a leaf: as asked, and at least one for each `ROWS_PER_LEAF` rows."""
    return max(fewest, len(rows.target) // ROWS_PER_LEAF)


def grown(
    rows: TreeRows, rounds: int, seed: int, threads: int, progress: RoundProgress, options: dict[str, Any]
) -> Forest:
    """The forest of these rows.

    Args:
        rows: Training rows.
        rounds: The number of trees.
        seed: Random seed.
        threads: CPU threads; the trees are the same with any number.
        progress: Called with the share done, 0..1, for each tree; True from it makes the chunk of trees that has just
            been grown the last one.
        options: Other settings of the forest, as scikit-learn names them.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    classes = rows.spec.task == "classification"
    kind = ExtraTreesClassifier if classes else ExtraTreesRegressor
    forest = kind(random_state=seed, n_jobs=threads, warm_start=True, **options)
    columns, target = columns_of(rows.x, rows.spec), rows.target if classes else rows.target.astype(np.float64)
    done, chunks = 0, []
    while done < rounds:
        trees = min(done + min(done + 1, CHUNK), rounds)
        forest.set_params(n_estimators=trees)
        forest.fit(columns, target, sample_weight=rows.weight.astype(np.float64))
        known = forest.classes_ if classes else np.zeros(1, dtype=np.int64)
        chunks.append(_arrays([tree.tree_ for tree in forest.estimators_[done:]], known, rows.spec))
        # Trees of many classes take gigabytes as scikit-learn has them; it only counts those that it has grown.
        forest.estimators_[done:] = [None] * (trees - done)
        # One call for each tree, so that the caller can count the trees.
        answers = [progress(tree / rounds) for tree in range(done + 1, trees + 1)]
        done = trees
        if any(answers):
            break
    return Forest(joined(chunks), rows.spec)


def _arrays(trees: list[Any], known: np.ndarray, spec: InputSpec) -> dict[str, np.ndarray]:
    """scikit-learn's trees as arrays, tree after tree; classes without rows have no share."""
    start = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])]).astype(np.int64)
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    value = np.zeros((int(start[-1]), spec.n_outputs), dtype=np.float32)
    value[:, known] = np.concatenate([tree.value[:, 0, :] for tree in trees])
    nodes = {
        "feature": np.where(leaf, -1, np.concatenate([tree.feature for tree in trees])),
        # scikit-learn compares in float64; rounded down to float32, a threshold keeps every float32 row on its side.
        "threshold": rounded_down(np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))),
        "roots": start[:-1],
    }
    for name, children in (("left", "children_left"), ("right", "children_right")):
        moved = np.concatenate([getattr(tree, children) + first for tree, first in zip(trees, start, strict=False)])
        nodes[name] = np.where(leaf, 0, moved)
    return arrays_of(nodes, value)
