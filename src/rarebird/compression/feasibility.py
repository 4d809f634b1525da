"""Whether networks allow the steps of a compression: asked before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from rarebird.compression.pruning import prunable_groups
from rarebird.compression.quantization import check_quantizable
from rarebird.compression.steps import Settings
from rarebird.core.checks import DataError
from rarebird.slots.stored_modules import ArrayModule, OnnxModule, TextModule


def check_steps(networks: Iterable[nn.Module], names: Sequence[str], settings: Settings) -> None:
    """Check that networks can be pruned and quantized, where that is asked for.

    Args:
        networks: Those of the model, or of a student, which may be untrained.
        names: The steps.
        settings: How they work.

    Raises:
        DataError: A network cannot.
        UnavailableError: A package that a step needs is not installed.
    """
    for network in networks:
        _check_weights(network, names)
        if "prune" in names and settings.prune == "channels":
            prunable_groups(network)
        if "quantize" in names and settings.precision == "int8":
            check_quantizable(network)


def _check_weights(network: nn.Module, names: Sequence[str]) -> None:
    """Refuse what has no weights of torch: trees, and networks that are int8 already."""
    steps = [name for name in names if name in ("prune", "quantize")]
    if steps and isinstance(network, OnnxModule | TextModule | ArrayModule):
        raise DataError(
            f"This model ({type(network).__name__}) has no float32 weights to {steps[0]}; leave out "
            f"{' and '.join(steps)}, or take the step distill first, which makes a network of it."
        )
