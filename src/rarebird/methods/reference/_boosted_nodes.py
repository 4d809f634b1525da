"""LightGBM's trees as plain arrays of nodes, from its text format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import DataError
from rarebird.slots.lightgbm_text import END
from rarebird.slots.tree_ensembles import TreeEnsemble, rounded_down

# Bits of a node's decision, and which cells count as missing.
BY_CATEGORY, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2
NONE_MISSING, NAN_MISSING = 0, 2


def ensemble_of(text: str, n_outputs: int, cardinalities: Sequence[int], n_numbers: int) -> TreeEnsemble:
    """The trees of a text that LightGBM wrote.

    A node that sends a set of categories to one side becomes a chain of nodes, one for each category of the smaller
    side.

    Args:
        text: From `lightgbm.Booster.model_to_string`.
        n_outputs: Of the model; with two, the trees add up to the second.
        cardinalities: Codes of each category column; these come after the numbers.
        n_numbers: Columns of numbers.

    Raises:
        DataError: Trees take zeros as missing, which rarebird's own never do.
    """
    blocks = text.partition(f"\n{END}\n")[0].split("\n\nTree=")[1:]
    per_round = 1 if n_outputs <= 2 else n_outputs
    nodes, start = _Nodes(), []
    for place, block in enumerate(blocks):
        start.append(len(nodes.feature))
        output = 1 if n_outputs == 2 else place % per_round
        _Tree(block, cardinalities, n_numbers).add_to(nodes, output)
    return TreeEnsemble(
        roots=np.array(start, dtype=np.int64),
        feature=np.array(nodes.feature, dtype=np.int64),
        threshold=rounded_down(np.array(nodes.threshold, dtype=np.float64)),
        equal=np.array(nodes.equal, dtype=bool),
        missing_left=np.array(nodes.missing_left, dtype=bool),
        left=np.array(nodes.left, dtype=np.int64),
        right=np.array(nodes.right, dtype=np.int64),
        leaf=np.array(nodes.leaf, dtype=np.int64),
        output=np.array(nodes.output, dtype=np.int64),
        value=np.array(nodes.value, dtype=np.float32),
        n_outputs=n_outputs,
    )


class _Nodes:
    """The arrays of `TreeEnsemble` as they grow."""

    def __init__(self) -> None:
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.equal: list[bool] = []
        self.missing_left: list[bool] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.leaf: list[int] = []
        self.output: list[int] = []
        self.value: list[float] = []

    def add(self, feature: int, threshold: float, equal: bool, missing_left: bool, children: tuple[int, int]) -> None:
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.equal.append(equal)
        self.missing_left.append(missing_left)
        self.left.append(children[0])
        self.right.append(children[1])


class _Tree:
    """One tree of the text."""

    def __init__(self, block: str, cardinalities: Sequence[int], n_numbers: int) -> None:
        self.lines = dict(line.partition("=")[::2] for line in block.split("\n"))
        self.cardinalities, self.n_numbers = cardinalities, n_numbers
        self.values = self._numbers("leaf_value")
        inner = len(self.values) - 1
        self.feature = self._numbers("split_feature").astype(np.int64) if inner else np.zeros(0, np.int64)
        self.threshold = self._numbers("threshold")
        self.decision = self._numbers("decision_type").astype(np.int64)
        self.bounds = self._numbers("cat_boundaries").astype(np.int64)
        self.words = self._numbers("cat_threshold").astype(np.uint64)
        self.children = [self._numbers(name).astype(np.int64) for name in ("left_child", "right_child")]

    def add_to(self, nodes: _Nodes, output: int) -> None:
        """Add the tree's nodes, a chain for each node by category, and its leaves behind them."""
        questions = [self._codes(place) for place in range(len(self.feature))]
        lengths = [1 if codes is None else max(1, len(codes[0])) for codes in questions]
        first = len(nodes.feature) + np.cumsum([0, *lengths])
        for place, codes in enumerate(questions):
            left, right = (int(first[at]) if at >= 0 else int(first[-1] + ~at) for at in self._children(place))
            column = int(self.feature[place])
            if codes is None:
                nodes.add(column, float(self.threshold[place]), False, self._missing_left(place), (left, right))
                continue
            members, goes_left = codes
            hit, miss = (left, right) if goes_left else (right, left)
            if not members:  # no cell is at most -1
                nodes.add(column, -1.0, False, False, (hit, miss))
            for step, code in enumerate(members):
                after = miss if step == len(members) - 1 else int(first[place]) + step + 1
                nodes.add(column, float(code), True, False, (hit, after))
        for leaf, value in enumerate(self.values):
            nodes.leaf.append(int(first[-1]) + leaf)
            nodes.output.append(output)
            nodes.value.append(float(value))
            nodes.add(-1, 0.0, False, False, (0, 0))

    def _children(self, place: int) -> tuple[int, int]:
        return int(self.children[0][place]), int(self.children[1][place])

    def _codes(self, place: int) -> tuple[list[int], bool] | None:
        """The categories of the smaller side, and whether they go left; None for a node by a number."""
        if not self.decision[place] & BY_CATEGORY:
            return None
        column = int(self.feature[place]) - self.n_numbers
        if not 0 <= column < len(self.cardinalities):
            raise DataError("These trees split numbers as categories, which is not exported to ONNX; train them anew.")
        which = int(self.threshold[place])
        words = self.words[self.bounds[which] : self.bounds[which + 1]]
        bits = (words[:, None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
        known = self.cardinalities[column]
        goes_left = np.zeros(known, dtype=bool)
        goes_left[: bits.size] = bits.ravel()[:known].astype(bool)
        side = bool(2 * goes_left.sum() <= known)
        return np.flatnonzero(goes_left == side).tolist(), side

    def _missing_left(self, place: int) -> bool:
        missing = int(self.decision[place]) >> MISSING_SHIFT
        if missing == NAN_MISSING:
            return bool(self.decision[place] & DEFAULT_LEFT)
        if missing != NONE_MISSING:
            raise DataError(
                "These trees take zeros as missing numbers, which is not exported to ONNX; train them anew."
            )
        return bool(self.threshold[place] >= 0)  # LightGBM reads a missing number as 0 here

    def _numbers(self, name: str) -> np.ndarray:
        text = self.lines.get(name, "")
        return np.array(text.split(" ") if text else [], dtype=np.float64)
