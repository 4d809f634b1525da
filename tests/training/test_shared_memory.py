"""Ranks as threads: what is longer than the memory goes in pieces, and a rank that waits asks after the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from rarebird.training import shared_memory
from rarebird.training.shared_memory import Meeting, SharedMemory

RANKS = 3


def meeting(check: object = None) -> Meeting:
    """Of three ranks with 64 bytes each."""
    signals = [[threading.Semaphore(0) if i != j else None for j in range(RANKS)] for i in range(RANKS)]
    return Meeting(bytearray(2 * RANKS * 64), signals, check or (lambda: None))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
def test_sums_and_exchanges_of_any_length(kind: torch.dtype) -> None:
    shared = meeting()
    parts = [[(torch.arange(n) * (rank + 1)).to(kind) for n in (1, 7, 16, 50)] for rank in range(RANKS)]

    def work(rank: int) -> list[Tensor]:
        memory, found = SharedMemory(rank, shared), []
        for part in parts[rank]:
            summed = part.clone()
            memory.add_up(summed)
            found += [summed, torch.stack(memory.gathered(part))]
        return found

    with ThreadPoolExecutor(RANKS) as pool:
        results = list(pool.map(work, range(RANKS)))
    expected = [one for each in zip(*parts, strict=True) for one in (sum(each), torch.stack(each))]
    for found in results:
        for one, right in zip(found, expected, strict=True):
            assert torch.equal(one, right)


def test_a_rank_that_waits_in_vain_asks_after_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "LOOK_SECONDS", 0.01)

    def check() -> None:
        raise ConnectionError("a rank ended")

    with pytest.raises(ConnectionError, match="a rank ended"):
        SharedMemory(0, meeting(check)).add_up(torch.ones(2))
