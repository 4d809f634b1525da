"""The channels of a network that can be removed together, found by watching one forward pass.

After the dependency graph of Fang, Ma, Song, Mi and Wang, "DepGraph: towards any structural pruning", CVPR 2023. Here
no graph of gradients is read: the pass runs on tensors without memory, and each call of torch tells what it does to the
channels. A convolution makes new ones; normalizations, activations and pooling keep them; a sum or product ties those
of both sides together; a concatenation puts them one after another; a convolution or linear layer reads them. What is
not known for certain (a reshape, a layer normalization, attention) fixes the channels that enter it.

NOTE[DIFF]: Torch-Pruning lists the positions of all channels for each layer, which takes minutes where many maps are
pooled and concatenated. Here one object is a whole range of channels, so that the work grows with the layers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rarebird.methods.network._channel_ranges import Ranges, tensors_in
from rarebird.methods.network._channel_rules import Call, rule_of
from rarebird.methods.network._channels import ChannelGroup


def traced_groups(network: nn.Module, inputs: Mapping[str, Tensor]) -> list[ChannelGroup]:
    """The groups of a network in the order of its layers; each is called after the first layer that makes it.

    Args:
        network: It is not changed.
        inputs: What its forward pass takes, of any values.

    Raises:
        Exception: Whatever its layers raise where tensors have no memory.
    """
    watched = deepcopy(network).to("meta").eval()
    ranges = Ranges(watched)
    with torch.no_grad(), _Watch(ranges):
        outputs = watched({name: x.to("meta") for name, x in inputs.items()})
    ranges.fix(outputs)
    return ranges.groups()


class _Watch(TorchFunctionMode):
    """Follows the channels through all calls of torch."""

    def __init__(self, ranges: Ranges) -> None:
        super().__init__()
        self._ranges = ranges

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        if any(True for _ in tensors_in(result)):
            rule = rule_of(getattr(func, "__name__", ""))
            known = isinstance(result, Tensor) and rule is not None
            found = rule(self._ranges, Call(args, given, result)) if known and rule else None
            if found is None:
                self._ranges.fix((args, given))
            else:
                self._ranges.learn(result, found)
        return result
