"""LightGBM's text of trees, checked completely before LightGBM's own parser sees it.

That parser trusts its text: an edited child makes a prediction run for ever, an edited size reads beyond the text, and
a wrong length ends the process. So the text must have LightGBM's lines and no others, each number must be one, and the
arrays of all trees must be trees on the table's columns. What the parser then reads is put together from these lines
alone; the training's parameters behind them decide nothing and are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import require

HEAD = (
    *("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx"),
    *("objective", "feature_names", "feature_infos", "tree_sizes"),
)
INTEGERS = ("split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count")
FINITE = ("leaf_value", "shrinkage")
# An infinite threshold separates missing numbers from all others.
FLOATS = ("threshold", "split_gain", "leaf_weight", "internal_value", "internal_weight")
CATEGORIES = ("cat_boundaries", "cat_threshold")
PER_NODE = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
PER_NODE_STATISTICS = ("internal_value", "internal_weight", "internal_count")
LINES = (
    *("num_leaves", "num_cat", *PER_NODE, "leaf_value", "leaf_weight", "leaf_count"),
    *(*PER_NODE_STATISTICS, "is_linear", "shrinkage"),
)
CATEGORICAL_LINES = (*LINES[:-2], *CATEGORIES, *LINES[-2:])
VERSIONS = ("v3", "v4")
END = "end of trees"
TAIL = f"{END}\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n"
# Each number is then converted, so that what has these characters and is no number is refused, too.
_CHARACTERS = {np.int64: re.compile("[-0-9 ]*"), np.float64: re.compile("[-+.0-9einfa ]*")}
# Of a column: its smallest and largest number, its categories, or that it was not used; LightGBM only stores it.
_INFO = re.compile(r"none|\[[-+.0-9einfa]{1,30}:[-+.0-9einfa]{1,30}\]|-?\d{1,18}(?::-?\d{1,18})*")
# Bits of a node's decision: by category; missing goes left; which cells are missing (none, zero, NaN).
_DECISIONS = tuple(range(12))


@dataclass(frozen=True)
class Expected:
    """What the trees must be for.

    Attributes:
        columns: Columns of a row.
        outputs: Trees of each round.
        objective: The line's value, such as ``binary sigmoid:1``.
    """

    columns: int
    outputs: int
    objective: str


def checked(text: str, expected: Expected) -> str:
    """The trees of a text, as text that LightGBM's parser can be given.

    Args:
        text: From `lightgbm.Booster.model_to_string`, or from anywhere.
        expected: What the trees are for.

    Raises:
        ValueError: The text does not hold trees, or trees for other data.
    """
    require(text.startswith("tree\n") and text.isascii(), "trees are in LightGBM's text format", begins=text[:20])
    body, end, _ = text.partition(f"\n{END}\n")
    head, *blocks = body.rstrip("\n").split("\n\n\nTree=") if end else [""]
    head, first, block = head.partition("\n\nTree=")
    require(bool(first), "trees are in LightGBM's text format", begins=text[:20])
    blocks = [block, *blocks]
    kept = _head(head, expected)
    require(len(blocks) % expected.outputs == 0, "each round has a tree per output", trees=len(blocks))
    _check_trees([_lines(block, place) for place, block in enumerate(blocks)], expected.columns)
    trees = [f"Tree={block}\n\n\n" for block in blocks]
    # LightGBM jumps to a tree by the sizes of those before it.
    sizes = " ".join(str(len(tree)) for tree in trees)
    return f"{kept}tree_sizes={sizes}\n\n{''.join(trees)}{TAIL}"


def _head(head: str, expected: Expected) -> str:
    """The lines before the trees, without the sizes of these."""
    lines = [line.partition("=") for line in head.split("\n")[1:]]
    require(tuple(name for name, _, _ in lines) == HEAD, "the text has LightGBM's lines", lines=len(lines))
    values = {name: value for name, _, value in lines}
    names, infos = values["feature_names"].split(" "), values["feature_infos"].split(" ")
    columns = expected.columns
    require(
        len(names) == len(infos) == columns and values["max_feature_idx"] == str(columns - 1),
        "trees know the table's columns",
        columns=len(names),
    )
    require(all(_INFO.fullmatch(info) for info in infos), "columns have a range or categories", infos=infos[:3])
    outputs = str(expected.outputs)
    fits = values["num_class"] == values["num_tree_per_iteration"] == outputs
    require(
        fits and values["objective"] == expected.objective,
        "trees have an output per class",
        outputs=values["num_class"][:20],
        objective=values["objective"][:40],
    )
    require(
        values["version"] in VERSIONS and values["label_index"] == "0",
        "the text is of a known version",
        version=values["version"][:20],
    )
    return "tree\n" + "".join(f"{name}={values[name]}\n" for name in HEAD[:-1])


def _lines(block: str, place: int) -> dict[str, str]:
    """The lines of one tree by their names."""
    number, *lines = block.split("\n")
    require(number == str(place), "trees are numbered", tree=number[:20])
    pairs = [line.partition("=") for line in lines]
    names = tuple(name for name, _, _ in pairs)
    require(names in (LINES, CATEGORICAL_LINES), "the text has LightGBM's lines", tree=place)
    found = {name: value for name, _, value in pairs}
    require(found["is_linear"] == "0", "leaves are constant", tree=place)
    return found


def _check_trees(trees: list[dict[str, str]], columns: int) -> None:
    """Check the arrays of all trees together: tree by tree, thousands of trees would take seconds."""
    leaves = _array([tree["num_leaves"] for tree in trees], "num_leaves")[0]
    n_cat = _array([tree["num_cat"] for tree in trees], "num_cat")[0]
    require(
        len(leaves) == len(n_cat) == len(trees) and leaves.min() >= 1 and n_cat.min() >= 0,
        "a tree has a leaf or more",
        leaves=int(leaves.min()),
    )
    arrays = {}
    for name in (*INTEGERS, *FINITE, *FLOATS):
        wanted = np.ones_like(leaves) if name == "shrinkage" else leaves if name.startswith("leaf") else leaves - 1
        arrays[name] = _sized(trees, name, wanted)
    for name in FINITE:
        require(bool(np.isfinite(arrays[name]).all()), "numbers are finite", array=name)
    nodes = leaves - 1
    _check_children(arrays["left_child"], arrays["right_child"], nodes)
    feature, decision = arrays["split_feature"], arrays["decision_type"]
    require(bool(((feature >= 0) & (feature < columns)).all()), "trees split at the table's columns", columns=columns)
    require(bool(np.isin(decision, _DECISIONS).all()), "a node has a kind of decision", array="decision_type")
    _check_categories(trees, n_cat, np.repeat(n_cat, nodes), decision & 1 == 1, arrays["threshold"])


def _sized(trees: list[dict[str, str]], name: str, wanted: np.ndarray) -> np.ndarray:
    """The numbers of a line in all trees, one per node or leaf; a tree of one leaf may leave out what it says of it."""
    numbers, sizes = _array([tree[name] for tree in trees], name)
    absent = (wanted == 1) & (sizes == 0) & (name in ("leaf_weight", "leaf_count"))
    require(bool(((sizes == wanted) | absent).all()), "one entry per node", array=name)
    return numbers


def _array(texts: list[str], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of some texts, one after the other, and how many each text has."""
    kind = np.float64 if name in (*FINITE, *FLOATS) else np.int64
    joined = " ".join(text for text in texts if text)
    try:
        numbers = np.array(joined.split(" ") if joined else [], dtype=kind)
    except (ValueError, OverflowError):
        numbers = None
    is_list = numbers is not None and _CHARACTERS[kind].fullmatch(joined) is not None
    require(is_list, "a tree's arrays hold numbers", array=name)
    assert numbers is not None
    return numbers, np.array([text.count(" ") + 1 if text else 0 for text in texts], dtype=np.int64)


def _check_children(left: np.ndarray, right: np.ndarray, nodes: np.ndarray) -> None:
    """Check that each tree's children make a tree: a node comes after its parent, and each node and leaf has one."""
    start, own = np.repeat(np.cumsum(nodes) - nodes, nodes), np.repeat(nodes, nodes)
    place = np.arange(len(left)) - start
    for name, child in (("left_child", left), ("right_child", right)):
        inner = (child > place) & (child < own)
        leaf = (child < 0) & (child >= -own - 1)
        require(bool((inner | leaf).all()), "a child comes after its parent, or is a leaf", array=name)
    children, first = np.concatenate([left, right]), np.concatenate([start, start])
    # Every inner node except the root, and every leaf (counted from the tree's first node), occurs once.
    inner = (children + first)[children >= 0]
    tree = np.concatenate([np.repeat(np.arange(len(nodes)), nodes)] * 2)
    leaf = (~children + first + tree)[children < 0]
    twice = len(np.unique(inner)) < len(inner) or len(np.unique(leaf)) < len(leaf)
    require(not twice, "a node has one parent", nodes=len(left))


def _check_categories(
    trees: list[dict[str, str]], n_cat: np.ndarray, of_node: np.ndarray, by_category: np.ndarray, threshold: np.ndarray
) -> None:
    """Check the sets of categories that go left: a node's threshold is the place of its set."""
    place = threshold[by_category]
    known = (place == np.floor(place)) & (place >= 0) & (place < of_node[by_category])
    require(bool(known.all()), "a node by category has a set of categories", nodes=int(by_category.sum()))
    having = [tree for tree, sets in zip(trees, n_cat, strict=True) if sets]
    require(all(CATEGORIES[0] in tree for tree in having), "sets of categories have boundaries", trees=len(having))
    bounds, sizes = _array([tree[CATEGORIES[0]] for tree in having], CATEGORIES[0])
    bits, n_bits = _array([tree[CATEGORIES[1]] for tree in having], CATEGORIES[1])
    require(bool((sizes == n_cat[n_cat > 0] + 1).all()), "one entry per node", array=CATEGORIES[0])
    require(bool(((bits >= 0) & (bits < 2**32)).all()), "categories are bits", array=CATEGORIES[1])
    if not len(bounds):
        return
    last = np.cumsum(sizes) - 1
    grows = np.diff(bounds) >= 0
    grows[last[:-1]] = True
    ends = bool(grows.all()) and (bounds[last] == n_bits).all() and (bounds[last - sizes + 1] == 0).all()
    require(bool(ends), "boundaries enclose the categories", array=CATEGORIES[0])
