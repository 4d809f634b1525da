"""Fitted trees as an ONNX graph of one node, a tree ensemble of ONNX's operators for machine learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.core.checks import DataError
from rarebird.model.onnx.torch_export import OPSET
from rarebird.model.onnx_network import required_package
from rarebird.slots.tree_ensembles import TreeEnsemble

DOMAIN = "ai.onnx.ml"
# The last version with one node for all trees' leaves of a float32 table; onnxruntime reads it since 1.11.
OPSET_ML = 3
INPUT, OUTPUT = "columns", "sums"


def tree_graph(trees: TreeEnsemble, n_columns: int) -> Any:
    """From float32 columns ``(batch, n_columns)``, NaN where a number is missing, to the sums over the trees.

    Raises:
        DataError: The trees' nodes are not one tree after the other.
    """
    onnx = required_package("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("TreeEnsembleRegressor", [INPUT], [OUTPUT], domain=DOMAIN, **_attributes(trees))
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info(INPUT, kind, ["batch", n_columns])],
        [helper.make_tensor_value_info(OUTPUT, kind, ["batch", trees.n_outputs])],
    )
    versions = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, OPSET_ML)]
    return helper.make_model(graph, opset_imports=versions, ir_version=helper.find_min_ir_version_for(versions))


def _attributes(trees: TreeEnsemble) -> dict[str, Any]:
    nodes = len(trees.feature)
    tree = np.searchsorted(trees.roots, np.arange(nodes), side="right") - 1
    inner = trees.feature >= 0
    _check_order(trees, tree, inner)
    own = trees.roots[tree]
    modes = np.where(inner, np.where(trees.equal, "BRANCH_EQ", "BRANCH_LEQ"), "LEAF")
    return {
        "n_targets": trees.n_outputs,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": (np.arange(nodes) - own).tolist(),
        "nodes_modes": modes.tolist(),
        "nodes_featureids": np.where(inner, trees.feature, 0).tolist(),
        "nodes_values": trees.threshold.astype(np.float32).tolist(),
        "nodes_hitrates": [1.0] * nodes,
        "nodes_truenodeids": np.where(inner, trees.left - own, 0).tolist(),
        "nodes_falsenodeids": np.where(inner, trees.right - own, 0).tolist(),
        "nodes_missing_value_tracks_true": trees.missing_left.astype(int).tolist(),
        "target_treeids": tree[trees.leaf].tolist(),
        "target_nodeids": (trees.leaf - own[trees.leaf]).tolist(),
        "target_ids": trees.output.tolist(),
        "target_weights": trees.value.astype(np.float32).tolist(),
    }


def _check_order(trees: TreeEnsemble, tree: np.ndarray, inner: np.ndarray) -> None:
    """Refuse trees whose nodes are mixed, as an edited file may have them."""
    ordered = len(trees.roots) > 0 and trees.roots[0] == 0 and bool((np.diff(trees.roots) > 0).all())
    own = all(bool((tree[child[inner]] == tree[inner]).all()) for child in (trees.left, trees.right))
    if not (ordered and own):
        raise DataError("The nodes of this model's trees are not one tree after the other; train the model anew.")
