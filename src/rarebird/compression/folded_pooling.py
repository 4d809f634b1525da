"""Average pooling as part of a convolution: in onnxruntime, int8 pooling takes longer than the convolutions beside it.

A mean over parts of k x k pixels and a 1 x 1 convolution behind it are one convolution over k x k pixels with stride k,
whose weights are those of the 1 x 1 convolution divided by the number of pixels. A mean over single pixels is nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rarebird.model.onnx_network import required_package


def fold_average_pooling(proto: Any) -> None:
    """Fold average pooling into the 1 x 1 convolutions that read it, and leave out that of single pixels; in place.

    Args:
        proto: An ONNX model whose weights are in the file. Pooling stays where its parts reach beyond the sides, or
            where its sides are not known.
    """
    graph = required_package("onnx.shape_inference").infer_shapes(proto).graph
    sides = {one.name: _sides(one) for one in (*graph.input, *graph.value_info)}
    weights = {tensor.name: tensor for tensor in proto.graph.initializer}
    outputs = {one.name for one in proto.graph.output}
    for pool in [node for node in proto.graph.node if node.op_type == "AveragePool"]:
        kernel = _tiles(pool, sides.get(pool.input[0], ()))
        readers = [node for node in proto.graph.node if pool.output[0] in node.input]
        if not kernel or pool.output[0] in outputs:
            continue
        if set(kernel) != {1}:
            if not all(_is_pointwise(node, weights, readers) for node in readers):
                continue
            for conv in readers:
                _widen(conv, weights[conv.input[1]], kernel)
        for node in readers:
            node.input[:] = [pool.input[0] if name == pool.output[0] else name for name in node.input]
        proto.graph.node.remove(pool)


def _tiles(pool: Any, sides: tuple[int, ...]) -> tuple[int, ...]:
    """The sides of a pooling's parts, where these lie side by side and cover the map; empty otherwise."""
    kernel, strides, pads, dilations = (
        _numbers(pool, name) for name in ("kernel_shape", "strides", "pads", "dilations")
    )
    strides = strides or (1,) * len(kernel)
    plain = kernel == strides and not any(pads) and set(dilations) <= {1} and _text(pool, "auto_pad") in ("", "NOTSET")
    fits = len(sides) == len(kernel) and all(side % own == 0 for side, own in zip(sides, kernel, strict=True))
    return kernel if plain and (fits or set(kernel) == {1}) else ()


def _is_pointwise(node: Any, weights: dict[str, Any], readers: list[Any]) -> bool:
    """Whether a node is a 1 x 1 convolution of stride 1 with weights of its own."""
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    shared = sum(node.input[1] == other.input[1] for other in readers if len(other.input) > 1) > 1
    shape, plain = (
        weights[node.input[1]].dims,
        not any(_numbers(node, "pads")) and set(_numbers(node, "strides")) <= {1},
    )
    return not shared and plain and set(shape[2:]) == {1}


def _widen(conv: Any, weight: Any, kernel: tuple[int, ...]) -> None:
    """Make a 1 x 1 convolution one over `kernel` pixels that takes their mean before."""
    onnx = required_package("onnx")
    values = onnx.numpy_helper.to_array(weight) / float(np.prod(kernel))
    wide = np.broadcast_to(values, (*values.shape[:2], *kernel)).astype(values.dtype)
    weight.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(wide), weight.name))
    kept = [one for one in conv.attribute if one.name not in ("kernel_shape", "strides")]
    del conv.attribute[:]
    conv.attribute.extend([*kept, *(onnx.helper.make_attribute(name, kernel) for name in ("kernel_shape", "strides"))])


def _sides(value: Any) -> tuple[int, ...]:
    """The sides of a map, without rows and channels; empty where one is not known."""
    dims = value.type.tensor_type.shape.dim[2:]
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else ()


def _numbers(node: Any, name: str) -> tuple[int, ...]:
    return next((tuple(one.ints) for one in node.attribute if one.name == name), ())


def _text(node: Any, name: str) -> str:
    return next((one.s.decode() for one in node.attribute if one.name == name), "")
