"""Sums and exchanges among the ranks of one machine, through memory that all of them map.

A training step of several ranks makes many small sums, two for each batch normalization, and every rank waits for each
of them: what counts is how long a message takes, not how many bytes it has. Through sockets (gloo) a small sum took .7
to 3 ms on the machine of the benchmarks (`docs/scaling.md`), longer than the layer that it served.

There are two buffers in turn, each with a place for every rank. A rank writes its place, meets the others, and reads
all places. One meeting is enough: before a buffer is written again, all ranks have met over the other one, and so have
read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

# Tries, 2 ms of them, before a rank sleeps until it is woken, which takes longer than most messages; and seconds after
# which it looks whether the others are alive.
SPINS, LOOK_SECONDS = 5000, 1.0


class Signal(Protocol):
    """A semaphore that two processes share."""

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool: ...

    def release(self) -> None: ...


@dataclass(frozen=True)
class Meeting:
    """What the ranks of one machine share, from the process that started them.

    Attributes:
        memory: Bytes, a multiple of twice the number of ranks.
        signals: For two ranks i and j, ``signals[i][j]`` tells j that i has come; None for i = j.
        check: Called while this rank waits; it raises if another one has ended.
    """

    memory: Any
    signals: Sequence[Sequence[Signal | None]]
    check: Callable[[], None]


class SharedMemory:
    """Exchanges tensors with the other ranks; each rank must call the same methods with tensors of the same size.

    Args:
        rank: The number of this process.
        meeting: What all ranks share.
    """

    def __init__(self, rank: int, meeting: Meeting) -> None:
        self._rank, self._ranks, self._check = rank, len(meeting.signals), meeting.check
        others = [other for other in range(self._ranks) if other != rank]
        self._to = [meeting.signals[rank][other] for other in others]
        self._from = [meeting.signals[other][rank] for other in others]
        self._buffers = torch.from_numpy(np.frombuffer(meeting.memory, dtype=np.uint8)).view(2, self._ranks, -1)
        self._turn = 0

    def add_up(self, part: Tensor) -> None:
        """Put the sum over the ranks into `part`, which is contiguous; the same bits on every rank."""
        flat = part.view(-1)
        size = self._buffers.shape[2] // part.element_size()
        for start in range(0, len(flat), size):
            piece = flat[start : start + size]
            places = self._exchanged(piece)
            torch.add(places[0], places[1], out=piece)
            for more in places[2:]:
                piece.add_(more)

    def gathered(self, part: Tensor) -> list[Tensor]:
        """The tensors of all ranks, in their order."""
        flat = part.contiguous().view(-1)
        received = [torch.empty_like(flat) for _ in range(self._ranks)]
        size = self._buffers.shape[2] // part.element_size()
        for start in range(0, len(flat), size):
            for whole, place in zip(received, self._exchanged(flat[start : start + size]), strict=True):
                whole[start : start + size] = place
        return [whole.view(part.shape) for whole in received]

    def _exchanged(self, piece: Tensor) -> list[Tensor]:
        """The pieces of all ranks, as long as no other exchange has begun."""
        buffer, n_bytes = self._buffers[self._turn], piece.numel() * piece.element_size()
        self._turn = 1 - self._turn
        places = [buffer[rank, :n_bytes].view(piece.dtype) for rank in range(self._ranks)]
        places[self._rank].copy_(piece)
        for signal in self._to:
            signal.release()  # type: ignore[union-attr]
        for signal in self._from:
            self._wait_for(signal)  # type: ignore[arg-type]
        return places

    def _wait_for(self, signal: Signal) -> None:
        for _ in range(SPINS):
            if signal.acquire(False):
                return
        while not signal.acquire(True, LOOK_SECONDS):
            self._check()
