"""Extremely randomized trees: a forest with random thresholds, whose class shares are averaged.

Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 2006, as scikit-learn implements them. A
class's share is the mean over the leaves of all trees; its logarithm is the logit.

*Helps when* rows are few and columns are informative but noisy: hundreds of weak trees vary less than boosting, which
fits single rows; in an ensemble with networks and boosted trees it lowers the log loss more than any other member.

*Does not help when* rows are many (boosting is then better), or trends are smooth and few columns matter, as in linear
data.

Cost: a second on a few thousand rows; a few megabytes. Saved as arrays, never as a pickle.

NOTE[DIFF]: leaves have at least two rows, and with more than 2000 rows at least a thousandth of them, so that the
arrays stay small. Missing numbers become the mean, with a mark as a second column; each category of a column with up to
32 values has a column of its own, more values become one column of ranks in frequency.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from rarebird.core.checks import require
from rarebird.methods.reference._forest import NODES, Forest, arrays_of
from rarebird.methods.reference._growth import ForestReference, smallest_leaf
from rarebird.methods.reference._tree_reference import TreeRows
from rarebird.slots.ranges import Float, Int

if TYPE_CHECKING:
    from rarebird.data.spec import InputSpec

KINDS = ("table",)


class ExtraTrees(ForestReference):
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

    def options(self, rows: TreeRows) -> dict[str, Any]:
        """Settings of the forest for these rows, as scikit-learn names them."""
        usual = "sqrt" if rows.spec.task == "classification" else 1.0
        fewest = smallest_leaf(self.fewest_rows, rows)
        return {"min_samples_leaf": fewest, "max_features": self.column_share or usual}

    def from_text(self, text: str, spec: InputSpec) -> Forest:
        """A forest from the JSON of version 0.1, which had all classes' shares of each node.

        Raises:
            ValueError: The text does not contain a forest, or a forest for other data.
        """
        try:
            plain = json.loads(text)
        except RecursionError:
            plain = None
        known = isinstance(plain, dict) and set(plain) == {*NODES, "value"}
        require(known, "a forest's text has its arrays", begins=text[:20])
        nodes = {name: _array(name, plain[name]) for name in NODES}
        value = _array("value", plain["value"])
        flat = all(array.ndim == 1 for array in nodes.values())
        same = flat and len({len(nodes[name]) for name in NODES if name != "roots"}) == 1
        require(same and value.shape == (len(nodes["feature"]), spec.n_outputs), "one entry per node", array="value")
        return self.from_arrays(arrays_of(nodes, value), spec)


def _array(name: str, numbers: Any) -> np.ndarray:
    """An array of a forest's text.

    Raises:
        ValueError: It is not an array of numbers of its type.
    """
    is_float = name in ("threshold", "value")
    found = np.array(numbers)
    limits = np.finfo(np.float32) if is_float else np.iinfo(np.int32)
    require(found.dtype.kind in ("iuf" if is_float else "iu"), "a forest's arrays hold numbers", array=name)
    within = bool((np.abs(found.astype(np.float64)) <= limits.max).all())
    require(within, "numbers are finite", array=name)
    return found.astype(np.float32 if is_float else np.int32)
