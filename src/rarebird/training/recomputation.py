"""Activation checkpointing: of each block of a network only the inputs are kept for the backward pass, which computes
the block once more.

Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016. The gradients are the same; a step
takes about a third longer, and the memory of its features falls to that of the blocks' inputs and of one block.
torch's non-reentrant `checkpoint` recomputes, with the same dropout masks. The network itself is not changed: blocks
are checkpointed while a forward pass runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from rarebird.core.checks import DataError
from rarebird.training.batch_statistics import shared_statistics


def blocks(network: nn.Module) -> list[nn.Module]:
    """The modules whose features are computed twice: the entries of the outermost lists of modules that have at least
    two. A layer without parts of its own is no block, as its inputs are all that it keeps."""
    found: list[nn.Module] = []
    for module in network.children():
        entries = list(module.children())
        if isinstance(module, nn.Sequential | nn.ModuleList) and len(entries) > 1:
            found += [entry for entry in entries if any(entry.children())]
        else:
            found += blocks(module)
    return found


def require_blocks(network: nn.Module, name: str) -> None:
    """Check that a network has blocks.

    Args:
        network: The network.
        name: Its name, for the message.

    Raises:
        DataError: It has none.
    """
    if not blocks(network):
        raise DataError(
            f"activation_checkpointing needs a network of several blocks, such as resnet, transformer or backbone, but "
            f"{name} has none; leave it out, or give accumulation, which saves memory for every network."
        )


@contextmanager
def recomputed(network: nn.Module, active: bool) -> Iterator[None]:
    """In the block, forward passes of the network keep the inputs of its blocks alone; nothing changes if not
    `active`."""
    patched = blocks(network) if active else []
    contexts = partial(_contexts, network)
    for module in patched:
        module.forward = partial(_forward, module.forward, contexts)
    try:
        yield
    finally:
        for module in patched:
            del module.forward


def _forward(forward: Callable[..., Any], contexts: Callable[[], Any], *args: Any, **named: Any) -> Any:
    return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **named)


def _contexts(network: nn.Module) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """The contexts of a block's first and second computation."""
    return nullcontext(), _second_time(network)


@contextmanager
def _second_time(network: nn.Module) -> Iterator[None]:
    """Batch normalization takes the statistics of all ranks again, but counts no batch twice: its running statistics
    are passed on, as the first time, and do not move."""
    normalizing = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    before = [(one, one.momentum, one.num_batches_tracked) for one in normalizing]
    for one in normalizing:
        one.momentum = 0.0
        one.num_batches_tracked = None if one.num_batches_tracked is None else one.num_batches_tracked.clone()
    try:
        with shared_statistics(network):
            yield
    finally:
        with torch.no_grad():
            for one, momentum, batches in before:
                one.momentum, one.num_batches_tracked = momentum, batches
