"""Puts the graphs of trees and quantized networks between a model's preparation and its calibrations and decision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rarebird.model.onnx.graph import ColumnsGraph, MemberGraph, ModelGraph, OutputsGraph, PreparationGraph
from rarebird.model.onnx.network_graph import network_graph
from rarebird.model.onnx.torch_export import graph_of
from rarebird.model.onnx.tree_graph import INPUT, tree_graph
from rarebird.model.onnx_network import OnnxNetwork, required_package
from rarebird.slots.tree_ensembles import TreeModule


def joined_graph(whole: ModelGraph, inputs: dict[str, Tensor]) -> Any:
    """A model's graph, of which some members are trees or ONNX graphs already.

    Args:
        whole: The model.
        inputs: Name -> example of two rows, as the graph takes them.
    """
    onnx = required_package("onnx")
    compose = required_package("onnx.compose")
    raw = {f"raw_{place}": torch.zeros(2, _outputs(one)) for place, one in enumerate(whole.members)}
    behind = graph_of(OutputsGraph(whole), raw, whole.outputs)
    front, links = None, []
    for place, member in enumerate(whole.members):
        assert isinstance(member, MemberGraph)
        one = _member_graph(whole, place, member, inputs)
        one = compose.add_prefix(one, f"m{place}_", rename_inputs=False, rename_outputs=False)
        links.append((f"member_{place}", f"raw_{place}"))
        front = one if front is None else _beside(onnx, front, one)
    _same_versions(front, behind)
    behind = compose.add_prefix(behind, "end_", rename_inputs=False, rename_outputs=False)
    return compose.merge_models(front, behind, io_map=links)


def _member_graph(whole: ModelGraph, place: int, member: MemberGraph, inputs: dict[str, Tensor]) -> Any:
    """From the model's inputs to one member's raw outputs, called ``member_PLACE``."""
    compose = required_package("onnx.compose")
    before, inner, made = _parts(whole, place, member.network, inputs)
    _same_versions(before, inner)
    inner = compose.add_prefix(inner, f"n{place}_")
    links = [(f"made_{name}", f"n{place}_{name}") for name in made]
    found = compose.merge_models(before, inner, io_map=links)
    _rename_output(found, f"member_{place}")
    return found


def _parts(whole: ModelGraph, place: int, network: nn.Module, inputs: dict[str, Tensor]) -> tuple[Any, Any, list[str]]:
    """A member's preparation and what predicts, as graphs, and the names of what goes from one to the other."""
    if isinstance(network, TreeModule):
        before = graph_of(ColumnsGraph(whole, place), inputs, [f"made_{INPUT}"])
        n_columns = before.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        return before, tree_graph(network.tree_ensemble(), n_columns), [INPUT]
    onnx, spec = required_package("onnx"), whole.members[place].spec
    inner = onnx.load_model_from_string(network.to_onnx()) if isinstance(network, OnnxNetwork) else None
    inner = network_graph(network, spec) if inner is None else inner  # type: ignore[arg-type]
    made = [value.name for value in inner.graph.input]
    return graph_of(PreparationGraph(whole, place, made), inputs, [f"made_{name}" for name in made]), inner, made


def _rename_output(proto: Any, name: str) -> None:
    old = proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = [name if one == old else one for one in node.output]
        node.input[:] = [name if one == old else one for one in node.input]
    proto.graph.output[0].name = name


def _beside(onnx: Any, first: Any, second: Any) -> Any:
    """Two graphs of the same inputs as one."""
    _same_versions(first, second)
    first.graph.node.extend(second.graph.node)
    first.graph.initializer.extend(second.graph.initializer)
    first.graph.output.extend(second.graph.output)
    have = {one.name for one in first.graph.input}
    first.graph.input.extend(one for one in second.graph.input if one.name not in have)
    return first


def _same_versions(first: Any, second: Any) -> None:
    """Let two graphs name the same versions of operators and of the format, the newer ones."""
    versions: dict[str, int] = {}
    for one in (*first.opset_import, *second.opset_import):
        versions[one.domain] = max(versions.get(one.domain, 0), one.version)
    for proto in (first, second):
        proto.ClearField("opset_import")
        for domain, version in versions.items():
            entry = proto.opset_import.add()
            entry.domain, entry.version = domain, version
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)


def _outputs(member: Any) -> int:
    outputs: int = member.spec.n_outputs
    return outputs
