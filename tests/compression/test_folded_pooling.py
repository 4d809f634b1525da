"""Average pooling that is folded into convolutions: the same outputs, and only where that is so."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from rarebird.compression.folded_pooling import fold_average_pooling
from rarebird.model.onnx.torch_export import graph_of

pytestmark = pytest.mark.xdist_group("onnx")

rounded: dict[str, Any] = {"ceil_mode": True, "count_include_pad": False}
FOLDED = [
    nn.Sequential(nn.AvgPool2d(2, **rounded), nn.Conv2d(3, 4, 1)),
    nn.Sequential(nn.AvgPool2d((2, 4)), nn.Conv2d(3, 4, 1, bias=False), nn.ReLU()),
    nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(1), nn.ReLU()),
]
# Parts that reach beyond the sides or overlap, a wider convolution, and no convolution behind them.
KEPT = [
    nn.Sequential(nn.AvgPool2d(3, **rounded), nn.Conv2d(3, 4, 1)),
    nn.Sequential(nn.AvgPool2d(2, stride=1), nn.Conv2d(3, 4, 1)),
    nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 4, 2)),
    nn.Sequential(nn.AvgPool2d((4, 2)), nn.ReLU()),
]


class Branches(nn.Module):
    """All of them side by side, and two convolutions that read one pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.branches, self.pool = nn.ModuleList([*FOLDED, *KEPT]), nn.AvgPool2d((8, 2))
        self.two = nn.ModuleList([nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)])

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        (x,) = inputs
        pooled = self.pool(x)
        outputs = [*(branch(x) for branch in self.branches), *(one(pooled) for one in self.two)]
        return torch.cat([one.flatten(1) for one in outputs], dim=1)


def test_outputs_are_the_same_and_pooling_is_gone_where_it_can_be() -> None:
    torch.manual_seed(0)
    network, x = Branches().eval(), torch.rand(2, 3, 8, 8)
    proto = graph_of(network, {"x": x}, ["y"])
    pools = sum(node.op_type == "AveragePool" for node in proto.graph.node)
    fold_average_pooling(proto)
    onnx.checker.check_model(proto)
    left = sum(node.op_type == "AveragePool" for node in proto.graph.node)
    assert (pools - left, left) == (len(FOLDED) + 1, len(KEPT))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, network(x).numpy(), atol=1e-6)
