"""A torch module as an ONNX graph with a batch of any size."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from rarebird.core.checks import DataError

# The version of the operators, which onnxruntime reads since 1.17.
OPSET = 20


def graph_of(module: nn.Module, inputs: dict[str, torch.Tensor], outputs: Sequence[str]) -> Any:
    """A module's graph with a batch of any size, as ONNX's own object.

    Args:
        module: Called with the inputs in their order.
        inputs: Name -> example of two rows or more.
        outputs: Names of the outputs.

    Raises:
        DataError: An operation of the network has no counterpart in ONNX.
    """
    batch = torch.export.Dim("batch")
    try:
        with _silent(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(inputs.values()),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=(tuple({0: batch} for _ in inputs),),
            )
    except Exception as error:  # torch raises whatever it meets in a network
        # What torch itself says begins with its advice, in colors; the cause is what the network did.
        cause = error.__cause__ or error
        reason = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
        raise DataError(
            f"This network cannot be exported to ONNX ({reason[:200]}); distil it to one that can: "
            "rarebird compress RUN --data DATA --steps distill (if its head was solved: rarebird fit DATA --single)."
        ) from error
    assert program is not None
    return _stripped(program.model_proto)


def _stripped(proto: Any) -> Any:
    """The graph without what torch says of the places in the code that each operation comes from, which is more than
    the weights of a small network."""
    graphs = [proto.graph, *proto.functions]
    for part in (proto, *graphs, *(node for graph in graphs for node in graph.node)):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for graph in graphs:
        graph.ClearField("value_info")
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    return proto


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what torch prints and logs while it traces a network."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        nowhere = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
