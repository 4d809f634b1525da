"""One network's graph, from prepared inputs to logits: what is quantized."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rarebird.data.spec import InputSpec
from rarebird.model.onnx.torch_export import graph_of
from rarebird.model.onnx_network import zeros


class NetworkGraph(nn.Module):
    """A network with its inputs in the order of `names`."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(dict(zip(self.names, inputs, strict=True)))
        return logits


def network_graph(network: nn.Module, spec: InputSpec) -> Any:
    """A network's graph as ONNX's own object; inputs have the names of the prepared ones.

    Raises:
        DataError: torch cannot export it.
    """
    x = {name: part for name, part in zeros(spec, 2).items() if part.numel()}
    whole = zeros(spec, 2)
    module = NetworkGraph(network, list(whole)) if len(x) == len(whole) else _WithEmpty(network, list(x), whole)
    return graph_of(module, x, ["logits"])


class _WithEmpty(nn.Module):
    """A network for tables without numbers or without categories, whose empty inputs are made inside the graph."""

    def __init__(self, network: nn.Module, names: list[str], whole: dict[str, Tensor]) -> None:
        super().__init__()
        self.network, self.names = network, names
        self.empty = {name: part for name, part in whole.items() if name not in names}

    def forward(self, *inputs: Tensor) -> Tensor:
        x = dict(zip(self.names, inputs, strict=True))
        rows = inputs[0].shape[0]  # `len` would fix the batch
        x |= {name: part.new_zeros(rows, 0) for name, part in self.empty.items()}
        logits: Tensor = self.network(x)
        return logits
