"""A network's int8 twin, as an ONNX file for onnxruntime; and weights in half precision.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018;
Nagel et al., "A white paper on neural network quantization", 2021: int8 weights with a scale per channel, uint8
activations whose ranges are measured on calibration rows (static); for recurrent networks, by the range of the
batch at hand (dynamic), so that a row's prediction depends a little on the rows beside it. onnxruntime's own quantizer
writes the file. Between convolutions all is int8, sums and activations too.

NOTE[DIFF]: the calibration rows have the same number of rows of each class. Ranges that are measured on the rows as
they come are those of the common classes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from rarebird.compression.folded_pooling import fold_average_pooling
from rarebird.compression.pruning import balanced_rows
from rarebird.compression.rounded_graph import RoundedGraph
from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.model.onnx.network_graph import network_graph
from rarebird.model.onnx_network import OnnxNetwork, required_package, zeros
from rarebird.slots.protocols import Inputs
from rarebird.slots.stored_modules import ArrayModule, OnnxModule, Precision, TextModule
from rarebird.training.batches import ready
from rarebird.training.fake_quantization import fake_quantization
from rarebird.training.inference import placement

Way = Literal["static", "dynamic"]
# Layers that become int8; the others stay in float32.
LAYERS = {"static": ["Conv", "Gemm", "MatMul"], "dynamic": ["Gemm", "MatMul", "LSTM"]}
# What stands between convolutions and is computed in int8 with them: from one convolution to the next, nothing is
# converted to float32 and back.
BETWEEN_CONVOLUTIONS = ["Add", "Clip", "Concat", "Flatten", "MaxPool", "Relu", "Reshape"]
# Calibration rows of each class at most, and of all classes together.
ROWS_PER_CLASS, MOST_ROWS, BATCH = 64, 512, 32


class Float32Twin:
    """A network as a float32 graph, of which int8 twins are made that keep some layers in float32.

    Args:
        network: In evaluation mode.
        prepared: Its preparation.
        rows: Training rows that calibrate.
        way: ``static``, ``dynamic``, or None: dynamic for recurrent networks, static for others.

    Raises:
        DataError: The network cannot be exported, or is no network.
    """

    def __init__(self, network: nn.Module, prepared: Prepared, rows: Dataset, way: Way | None = None) -> None:
        check_quantizable(network)
        recurs = any(isinstance(one, nn.RNNBase) for one in network.modules())
        self.way: Way = way or ("dynamic" if recurs else "static")
        self._graph = network_graph(network, prepared.spec)
        fold_average_pooling(self._graph)
        self._batches = _calibration_batches(prepared, rows) if self.way == "static" else []
        for place, node in enumerate(self._graph.graph.node):
            node.name = node.name or f"node_{place}"
        sizes = {tensor.name: len(tensor.dims) for tensor in self._graph.graph.initializer}
        found = [node for node in self._graph.graph.node if node.op_type in LAYERS[self.way]]
        # A product of matrices without weights, or with one matrix of weights per column, stays in float32.
        flat = [node for node in found if node.op_type != "MatMul" or sizes.get(node.input[1]) == 2]
        self.layers = [node.name for node in flat]
        self._others = [node.name for node in found if node.name not in self.layers]
        self._behind = _layers_before(self._graph.graph, {node.name for node in found})

    def int8(self, kept: Sequence[str] = ()) -> OnnxNetwork:
        """The int8 twin.

        Args:
            kept: Names among `layers` that stay in float32.
        """
        onnx, tools = required_package("onnx"), required_package("onnxruntime.quantization")
        with tempfile.TemporaryDirectory() as folder, _silent():
            prepared, target = _folded(self._graph, folder), str(Path(folder, "int8.onnx"))
            convolves = self.way == "static" and any(node.op_type == "Conv" for node in self._graph.graph.node)
            common = {
                "op_types_to_quantize": [*LAYERS[self.way], *(BETWEEN_CONVOLUTIONS if convolves else ())],
                "per_channel": True,
                "weight_type": tools.QuantType.QInt8,
                "nodes_to_exclude": [*kept, *self._others, *self._float_between({*kept, *self._others})],
            }
            if self.way == "static":
                tools.quantize_static(
                    prepared,
                    target,
                    _Reader(self._batches),
                    quant_format=tools.QuantFormat.QDQ,
                    activation_type=tools.QuantType.QUInt8,
                    **common,
                )
            else:
                tools.quantize_dynamic(prepared, target, **common)
            return OnnxNetwork(_short_names(onnx.load(target)).SerializeToString())

    def _float_between(self, in_float: set[str]) -> list[str]:
        """What stands between convolutions and stays in float32, because one of the layers before it does."""
        return [name for name, before in self._behind.items() if not before or before & in_float]


def check_quantizable(network: nn.Module) -> None:
    """Check that a network can become int8.

    Raises:
        DataError: It has no float32 weights.
        UnavailableError: onnx or onnxruntime is not installed.
    """
    if isinstance(network, OnnxModule | TextModule | ArrayModule):
        name = type(network).__name__
        raise DataError(f"This model ({name}) has no float32 weights to quantize; leave out the step quantize.")
    for package in ("onnx", "onnxruntime"):
        required_package(package)


def rounded_twin(network: nn.Module, prepared: Prepared) -> OnnxNetwork:
    """The int8 twin of a network whose training was quantization-aware: with the ranges of that training.

    Args:
        network: In evaluation mode; its last training stage was quantization-aware.
        prepared: Its preparation.
    """
    quantization = fake_quantization(network)
    quantization.learns = False
    with quantization(), torch.no_grad():
        network(zeros(prepared.spec, 2))  # tells the weights that the network has now
    onnx = required_package("onnx")
    with tempfile.TemporaryDirectory() as folder, _silent():
        graph = onnx.load(_folded(network_graph(network, prepared.spec), folder))
    return OnnxNetwork(_short_names(RoundedGraph(graph, quantization.places).int8()).SerializeToString())


def _folded(graph: Any, folder: str) -> str:
    """A file in the folder with the graph after onnxruntime's own simplifications: batch normalization is folded."""
    source, folded = (str(Path(folder, f"{name}.onnx")) for name in ("float32", "folded"))
    required_package("onnx").save(graph, source)
    required_package("onnxruntime.quantization.shape_inference").quant_pre_process(
        source, folded, skip_symbolic_shape=True
    )
    return folded


def in_half_precision(network: nn.Module, precision: Precision) -> nn.Module:
    """A copy of a network whose weights are rounded to a half precision, in which they are saved; it computes in
    float32, so that only its file is smaller.

    Raises:
        DataError: A weight is too large for float16.
    """
    from copy import deepcopy

    half = deepcopy(network)
    dtype = getattr(torch, precision)
    with torch.no_grad():
        for name, value in half.state_dict(keep_vars=True).items():
            if value.is_floating_point():
                rounded = value.detach().to(dtype).float()
                if not bool(torch.isfinite(rounded).all()):
                    raise DataError(f"The weights {name} are too large for {precision}; give bfloat16.")
                value.detach().copy_(rounded)
    half.stored_precision = precision  # type: ignore[assignment]
    return half


def _layers_before(graph: Any, layers: set[str]) -> dict[str, set[str]]:
    """Of each node that stands between convolutions, the layers whose outputs reach it through no other layer."""
    before: dict[str, set[str]] = {}  # of each tensor
    found = {}
    for node in graph.node:  # in the order of the computation
        own: set[str] = set().union(*(before.get(name, set()) for name in node.input))
        if node.op_type in BETWEEN_CONVOLUTIONS:
            found[node.name] = own
        for name in node.output:
            before[name] = {node.name} if node.name in layers else own
    return found


def _short_names(proto: Any) -> Any:
    """The graph with short names of tensors and layers: the quantizer's are longer than the scales that they name."""
    graph = proto.graph
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return proto  # an inner graph may use the names
    kept = {"", *(value.name for value in (*graph.input, *graph.output))}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if name in kept else short.setdefault(name, f"{len(short):x}")

    for node in graph.node:
        node.name = ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    graph.ClearField("value_info")
    return proto


def _calibration_batches(prepared: Prepared, rows: Dataset) -> list[dict[str, np.ndarray]]:
    """Prepared rows with as many of each class, as onnxruntime takes them."""
    per_class = max(1, min(ROWS_PER_CLASS, MOST_ROWS // max(rows.n_classes, 1)))
    chosen = balanced_rows(rows, per_class if rows.n_classes else MOST_ROWS)
    inputs: Inputs = prepared.inputs(rows.take(chosen))
    where = placement("cpu", "pixels" in inputs)
    batches = []
    for start in range(0, len(chosen), BATCH):
        x = ready({name: part[start : start + BATCH] for name, part in inputs.items()}, where)
        batches.append({name: part.contiguous().numpy() for name, part in x.items() if part.numel()})
    return batches


class _Reader:
    """Calibration rows, as onnxruntime asks for them."""

    def __init__(self, batches: Sequence[dict[str, np.ndarray]]) -> None:
        self._left: Iterator[Any] = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch, None at the end."""
        return next(self._left, None)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what the quantizer logs."""
    level, nowhere = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
