"""Several processes train one network together: what they sum, what they gather, and what one of them decides for all.

Each process, a *rank*, holds all training rows and draws the same batches, of which it computes its own share: the rows
of a batch are divided in their order, as evenly as they can be. Losses are sums over rows, divided by the rows of the
whole batch, so that the sum of the ranks' gradients is the gradient of one process, however uneven the shares are. The
ranks start from the same weights and take the same steps; what depends on a clock or on the user, rank 0 decides.

Without a group, as in every training by one process, each function here returns what it is given.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from rarebird.core import rng
from rarebird.core.checks import DataError
from rarebird.training.batches import Rows
from rarebird.training.shared_memory import Meeting, SharedMemory

T = TypeVar("T")
# Of the ranks of one machine, for tensors on CPUs; None: there is one rank, or `torchrun` started them.
_memory: SharedMemory | None = None
# Seconds after which a rank gives up waiting for the others: longer than the reading of data differs between them.
LONGEST_WAIT = 1800.0
# In place of the values that ranks compare: why one has none.
PROBLEM = "problem"
# The network interface of the ranks of one machine, for gloo: its own choice is the address of the machine's name.
LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def join(rank: int, ranks: int, device: str, file: str | None = None, meeting: Meeting | None = None) -> None:
    """Join the group of the ranks; returns when all have joined.

    Args:
        rank: The number of this process.
        ranks: The number of all processes.
        device: The torch device on which this rank trains: sums of a GPU's tensors go through NCCL, others through
            gloo.
        file: A path on this machine, which no file has yet, by which the ranks find each other; None: by the variables
            that ``torchrun`` sets.
        meeting: The memory that the ranks share, for tensors on CPUs; None: all goes through the group.
    """
    global _memory
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    store = None
    if file is not None:
        if (loopback := LOOPBACK.get(sys.platform)) is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
        store = dist.FileStore(file, ranks)  # type: ignore[attr-defined]
    wait = timedelta(seconds=LONGEST_WAIT)
    dist.init_process_group(backend, timeout=wait, world_size=ranks, rank=rank, store=store)
    _memory = None if meeting is None or ranks == 1 else SharedMemory(rank, meeting)


def leave() -> None:
    """Leave the group: from here on, this process trains alone."""
    global _memory
    _memory = None
    if dist.is_initialized():
        dist.destroy_process_group()


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another rank ended, or did not answer."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def count() -> int:
    """The number of ranks; 1 without a group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process; 0 without a group."""
    return dist.get_rank() if dist.is_initialized() else 0


def agreed(value: T) -> T:
    """The value of rank 0, for what the ranks may measure differently; it must be one that can be pickled."""
    if count() == 1:
        return value
    holder: list[Any] = [value if rank() == 0 else None]
    dist.broadcast_object_list(holder, src=0, device=torch.device("cpu"))
    shared: T = holder[0]
    return shared


def decided(value: float) -> float:
    """The number of rank 0; quicker than `agreed`, for what is decided at each step."""
    if count() == 1:
        return value
    return float(_received(torch.tensor([value], dtype=torch.float64))[0])


def from_all(value: T) -> list[T]:
    """The values of all ranks, in the order of the ranks; they must be values that can be pickled."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def own_share(n: int) -> slice:
    """The rows of a batch of `n` that this rank computes.

    Raises:
        DataError: There are fewer rows than ranks.
    """
    if n < count():
        raise DataError(
            f"A batch of {n} rows cannot be divided among {count()} devices; give fewer devices or a larger batch_size."
        )
    start, stop = _edges(n)[rank() : rank() + 2]
    return slice(start, stop)


def _edges(n: int) -> list[int]:
    """Where the ranks' shares of `n` rows begin and end, as `np.array_split` divides them."""
    each, more = divmod(n, count())
    return [each * place + min(place, more) for place in range(count() + 1)]


def total(value: Tensor) -> Tensor:
    """The sum over the ranks; without a gradient."""
    if count() == 1:
        return value
    summed = value.detach().clone(memory_format=torch.contiguous_format)
    _add_up(summed)
    return summed


def gathered(part: Tensor, n: int) -> Tensor:
    """The rows of a whole batch of `n`, of which `part` is this rank's share; gradients flow back to the ranks whose
    rows they are."""
    if count() == 1:
        return part
    if part.dtype in (torch.bfloat16, torch.float16):
        return gathered(part.float(), n).to(part.dtype)
    rows: Tensor = _Gathered.apply(part, n)
    return rows


class _Gathered(torch.autograd.Function):
    """`gathered`, of which each rank uses all rows: a row's gradient is the sum over the ranks."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, n: int) -> Tensor:
        ctx.n = n
        edges = _edges(n)
        # All ranks send as many rows; the shares differ by one row at most.
        padded = part.new_zeros(-(-n // count()), *part.shape[1:])
        padded[: len(part)] = part
        pairs = zip(_received(padded), edges, edges[1:], strict=False)
        return torch.cat([one[: stop - start] for one, start, stop in pairs])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return total(gradient.contiguous())[own_share(ctx.n)], None


def _add_up(part: Tensor) -> None:
    """Put the sum over the ranks into a contiguous tensor."""
    if _memory is not None and part.device.type == "cpu":
        _memory.add_up(part)
    else:
        dist.all_reduce(part)


def _received(part: Tensor) -> list[Tensor]:
    """The tensors of all ranks, which have one shape."""
    if _memory is not None and part.device.type == "cpu":
        return _memory.gathered(part)
    received = [torch.empty_like(part) for _ in range(count())]
    dist.all_gather(received, part)
    return received


def gathered_array(part: np.ndarray, n: int) -> np.ndarray:
    """`gathered` for arrays."""
    return part if count() == 1 else gathered(torch.from_numpy(np.ascontiguousarray(part)), n).numpy()


@torch.no_grad()
def sum_gradients(network: nn.Module) -> None:
    """Put the sum of the ranks' gradients into every parameter that has one; one message carries them all."""
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    for kind in {gradient.dtype for gradient in gradients}:
        alike = [gradient for gradient in gradients if gradient.dtype == kind]
        bucket = torch.cat([gradient.reshape(-1) for gradient in alike])
        _add_up(bucket)
        parts = torch.split(bucket, [gradient.numel() for gradient in alike])
        torch._foreach_copy_(alike, [part.view(one.shape) for part, one in zip(parts, alike, strict=True)])


def begin(network: nn.Module, rows: Rows, *, seed: int, fold: int) -> None:
    """Check that all ranks train the same network on the same rows, and give each its own draws of torch's global
    generator (dropout masks): the same draws on all ranks would tie rows to each other. One process keeps its draws.

    Args:
        network: The network with its initial weights.
        rows: The training rows.
        seed: The recipe's seed.
        fold: The number of the part.

    Raises:
        DataError: The rows or the weights of two ranks differ.
    """
    if count() == 1:
        return
    require_same({"training rows": _digest([*rows.inputs.values(), rows.y, rows.weight])})
    require_same({"initial weights": _digest([*network.parameters(), *network.buffers()])})
    torch.manual_seed(rng.torch_seed(seed, "draws of a rank", fold, rank()))


def require_same(values: dict[str, object]) -> None:
    """Check that all ranks have the same values; they are named in the message.

    Raises:
        DataError: A rank has another value than rank 0.
    """
    of_all = from_all(values)
    for place, others in enumerate(of_all):
        if (problem := others.get(PROBLEM)) is not None:
            raise DataError(f"Process {place}: {problem}")
        for name, value in of_all[0].items():
            if others[name] != value:
                raise DataError(
                    f"The {name} of process {place} are not those of process 0; all processes must read the same data "
                    "with the same recipe and the same version of rarebird."
                )


def _digest(tensors: Sequence[Tensor]) -> int:
    """A checksum of values, whatever their memory layout."""
    code = 0
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        code = zlib.crc32(array.reshape(-1).view(np.uint8).data, code)
    return code
