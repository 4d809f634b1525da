"""Where and how tensors are computed: device, precision, memory layout, threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from rarebird.core.checks import DataError


@dataclass(frozen=True)
class Placement:
    """How one training is computed.

    Attributes:
        device: A torch device, ``cpu`` or ``cuda``.
        precision: ``float32``, ``bfloat16`` or, on GPUs, ``float16`` (autocast; weights stay float32).
        channels_last: Whether pictures and convolutions have the channels-last memory layout.
        threads: CPU threads of torch; None: torch's present number.
    """

    device: str = "cpu"
    precision: str = "float32"
    channels_last: bool = False
    threads: int | None = None

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which a forward pass runs."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.precision))

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, in the memory layout."""
        network = network.to(self.device)
        return network.to(memory_format=torch.channels_last) if self.channels_last else network


@contextmanager
def threads(wanted: int | None) -> Iterator[int]:
    """Run torch on `wanted` CPU threads (None: no change); afterwards the number is as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def half_precision(device: str) -> str:
    """The half precision in which a device computes fast: ``float16`` on GPUs without bfloat16 (before Ampere)."""
    if device == "cpu":
        return "bfloat16"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def choose_device(wanted: str = "auto") -> str:
    """A torch device; for ``auto`` the GPU if there is one, else the CPU.

    Raises:
        DataError: The device does not exist here.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = wanted.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise DataError(f"There is no device {wanted!r}; give auto, cpu or cuda.")
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise DataError(f"The device {wanted!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return wanted if kind == "cuda" else kind


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a torch error says that memory has run out, on a GPU or a CPU."""
    signs = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)
