"""Tensors of a source into a network: a body of another library by that library's own rules, others by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError, some
from rarebird.slots.starting_weights import StartingWeights

HEAD, BODY = "head.", "body."


def load(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> StartingWeights:
    """Put the tensors that fit into the network; its head is left as it is.

    Args:
        network: One with `load_body` has a body of another library, which loads them by its own rules.
        tensors: Name -> values.
        source: What they come from, for messages.

    Raises:
        DataError: None of them fits.
    """
    if not hasattr(network, "load_body"):
        return load_by_name(network, tensors, source, with_head=False)
    wanted = [name for name in network.state_dict() if name.startswith(BODY)]
    return _said(network, tensors, source, wanted, _into_body(network, tensors, source))


def load_by_name(network: nn.Module, tensors: Mapping[str, Tensor], source: str, with_head: bool) -> StartingWeights:
    """Put the tensors whose name and shape are the network's own into it.

    Args:
        network: Its head is left as it is, unless `with_head`.
        tensors: Name -> values.
        source: What they come from, for messages.
        with_head: Whether the head takes values, too.

    Raises:
        DataError: None of them fits.
    """
    own = network.state_dict()
    wanted = [name for name in own if with_head or not name.startswith(HEAD)]
    loaded = [name for name in wanted if name in tensors and tensors[name].shape == own[name].shape]
    network.load_state_dict({**own, **{name: tensors[name] for name in loaded}})
    return _said(network, tensors, source, wanted, loaded)


def _said(
    network: nn.Module, tensors: Mapping[str, Tensor], source: str, wanted: Sequence[str], loaded: Sequence[str]
) -> StartingWeights:
    """What was and was not loaded.

    Raises:
        DataError: No parameter was.
    """
    own, parameters = network.state_dict(), {name for name, _ in network.named_parameters()}
    if not parameters & set(loaded):
        named = some([name.removeprefix(BODY) for name in wanted if name in parameters], 3)
        raise DataError(
            f"No tensor of {source} fits the network {type(network).__name__}: it has {some(tensors, 3)}; the network "
            f"has {named}. Are these weights of another network?"
        )
    used = {name.removeprefix(BODY) for name in loaded} | set(loaded)
    return StartingWeights(
        source=source,
        loaded=tuple(loaded),
        drawn=tuple(name for name in wanted if name not in loaded and not _is_count(own[name])),
        unused=tuple(name for name in tensors if name not in used and not _is_count(tensors[name])),
    )


def _into_body(network: Any, tensors: Mapping[str, Tensor], source: str) -> list[str]:
    try:
        loaded: list[str] = network.load_body(tensors)
    except Exception as error:  # whatever a library raises at tensors of another network
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        first = next((line for line in lines if "size mismatch" in line), lines[0])
        raise DataError(f"The weights in {source} are not those of this network: {first[:300]}") from None
    return loaded


def _is_count(part: Tensor) -> bool:
    """Whether a tensor is a count of batches, which no one misses."""
    return part.ndim == 0 and part.dtype == torch.int64
