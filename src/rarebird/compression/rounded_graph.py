"""Writes what a quantization-aware training rounded into a float32 ONNX graph: int8 weights, and a pair of
QuantizeLinear and DequantizeLinear at each place where activations were rounded, with the ranges of the training.

onnxruntime computes such a pair, a layer and the next pair as one int8 operation. A layer of the graph is found by its
weights: those of a place of the training, each output channel times a number (a folded batch normalization).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rarebird.model.onnx_network import required_package
from rarebird.training.fake_quantization import LEVELS, SMALLEST, WEIGHT_LEVELS, Place, ValueRange

LAYERS = ("Conv", "Gemm", "MatMul")
# Least cosine of two channels that are one but for a factor.
ALIKE = 1 - 1e-5
MOST_INT32 = 2**31 - 1


class RoundedGraph:
    """A float32 graph that becomes the int8 graph of a training's places.

    Args:
        proto: The graph, with batch normalization folded where it can be; it is changed.
        places: Of the training.
    """

    def __init__(self, proto: Any, places: Sequence[Place]) -> None:
        self.onnx = required_package("onnx")
        self.proto, self.nodes = proto, list(proto.graph.node)
        self.values = {one.name: self.onnx.numpy_helper.to_array(one) for one in proto.graph.initializer}
        self.readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.pairs: dict[str, str] = {}
        self.weights: dict[str, str] = {}
        self.before: dict[int, list[Any]] = {}
        self.found = self._matched(places)

    def int8(self) -> Any:
        """The int8 graph."""
        for node, place in self.found:
            assert place.into is not None
            scale = self._rounded_input(node, place.into)
            self._rounded_weights(node, scale)
        for node, place in self.found:
            if node.op_type == "Conv":
                self._rounded_output(node, place)
        written = [one for node in self.nodes for one in [*self.before.get(id(node), []), node]]
        del self.proto.graph.node[:]
        self.proto.graph.node.extend(written)
        read = {name for node in written for name in node.input}
        kept = [one for one in self.proto.graph.initializer if one.name in read]
        del self.proto.graph.initializer[:]
        self.proto.graph.initializer.extend(kept)
        return self.proto

    def _matched(self, places: Sequence[Place]) -> list[tuple[Any, Place]]:
        """The layers of the graph with their places."""
        left = [(place, place.weight.float().cpu().numpy()) for place in places]
        found = []
        for node in self.nodes:
            if node.op_type not in LAYERS or node.input[1] not in self.values:
                continue
            weight = np.moveaxis(self.values[node.input[1]], self._axis(node), 0)
            for number, (place, known) in enumerate(left):
                if known.shape == weight.shape and are_alike(known, weight):
                    found.append((node, place))
                    del left[number]
                    break
        return found

    def _axis(self, node: Any) -> int:
        """The axis of the output channels of a layer's weights."""
        if node.op_type == "Conv":
            return 0
        turned = any(one.name == "transB" and one.i for one in node.attribute)
        return 0 if turned else 1

    def _rounded_input(self, node: Any, known: ValueRange) -> float:
        """Let a layer read its rounded input; the scale of the codes."""
        node.input[0] = self._pair(node.input[0], known, node)
        return _grid(known)[0]

    def _rounded_weights(self, node: Any, input_scale: float) -> None:
        """Let a layer read int8 weights, and int32 biases on the scale of the products."""
        name, axis = node.input[1], self._axis(node)
        weight = self.values[name]
        largest = np.maximum(np.abs(np.moveaxis(weight, axis, 0)).reshape(weight.shape[axis], -1).max(axis=1), SMALLEST)
        scales = (largest / WEIGHT_LEVELS).astype(np.float32)
        if name not in self.weights:
            along = [-1 if place == axis else 1 for place in range(weight.ndim)]
            codes = np.rint(weight / scales.reshape(along)).astype(np.int8)
            self.weights[name] = self._dequantized(name, codes, scales, axis, node)
        node.input[1] = self.weights[name]
        if len(node.input) < 3 or node.input[2] not in self.values:
            return
        bias, products = self.values[node.input[2]], input_scale * scales
        codes = np.rint(bias / products)
        if bias.shape == scales.shape and np.abs(codes).max(initial=0) < MOST_INT32:
            name = f"{node.input[2]}_of_{node.output[0]}"
            node.input[2] = self._dequantized(name, codes.astype(np.int32), products.astype(np.float32), 0, node)

    def _rounded_output(self, node: Any, place: Place) -> None:
        """Let all but layers and ReLU read what a convolution gives rounded, before or after ReLU."""
        name = self._passed(node.output[0], "BatchNormalization")
        rectified = [one.output[0] for one in self.readers.get(name, []) if one.op_type == "Relu"]
        layers = {id(one) for one, _ in self.found}
        for stage, given in [(0, name), *((1, one) for one in rectified)]:
            for reader in self.readers.get(given, []):
                if id(reader) in layers or (reader.op_type == "Relu" and stage == 0) or stage not in place.out:
                    continue
                rounded = self._pair(given, place.out[stage], reader)
                reader.input[:] = [rounded if one == given else one for one in reader.input]

    def _passed(self, name: str, kind: str) -> str:
        """The tensor behind an operation of this kind, if it alone reads the tensor."""
        readers = self.readers.get(name, [])
        return str(readers[0].output[0]) if len(readers) == 1 and readers[0].op_type == kind else name

    def _pair(self, name: str, known: ValueRange, reader: Any) -> str:
        """The rounded values of a tensor, which are computed once, before their first reader."""
        if name not in self.pairs:
            scale, zero = _grid(known)
            grid = [self._stored(f"{name}_scale", np.float32(scale)), self._stored(f"{name}_zero", np.uint8(zero))]
            make = self.onnx.helper.make_node
            self.before.setdefault(id(self._first_reader(name, reader)), []).extend(
                [
                    make("QuantizeLinear", [name, *grid], [f"{name}_codes"]),
                    make("DequantizeLinear", [f"{name}_codes", *grid], [f"{name}_rounded"]),
                ]
            )
            self.pairs[name] = f"{name}_rounded"
        return self.pairs[name]

    def _first_reader(self, name: str, reader: Any) -> Any:
        return self.readers.get(name, [reader])[0]

    def _dequantized(self, name: str, codes: np.ndarray, scales: np.ndarray, axis: int, reader: Any) -> str:
        stored = [
            self._stored(f"{name}_codes", codes),
            self._stored(f"{name}_scales", scales),
            self._stored(f"{name}_zeros", np.zeros(scales.shape, codes.dtype)),
        ]
        first = self._first_reader(name, reader)
        node = self.onnx.helper.make_node("DequantizeLinear", stored, [f"{name}_rounded"], axis=axis)
        self.before.setdefault(id(first), []).append(node)
        return f"{name}_rounded"

    def _stored(self, name: str, values: Any) -> str:
        self.proto.graph.initializer.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name


def _grid(known: ValueRange) -> tuple[float, int]:
    scale, zero = known.grid()
    return float(scale), int(np.clip(float(zero), 0, LEVELS))


def are_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each channel ``(channels, ...)`` is that of the other weights times a number."""
    one, other = (part.reshape(len(part), -1).astype(np.float64) for part in (one, other))
    lengths = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return bool((np.abs((one * other).sum(axis=1)) >= ALIKE * lengths).all())
