"""Where a search's trainings run: in this process, in several of this machine, or on a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rarebird import executors

if TYPE_CHECKING:
    from rarebird.executors.executor import Executor, Work

# A training on a cluster takes one CPU unless --threads says otherwise: networks for small data gain little from more.
CLUSTER_THREADS = 1


@dataclass(frozen=True)
class Workers:
    """So many processes of this machine, 1 for this one, or a Ray cluster at an address."""

    processes: int = 1
    cluster: str | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether trainings run in other processes than this."""
        return self.processes > 1 or self.cluster is not None

    def threads(self, asked: int | None) -> int:
        """CPU threads of one training, where no recipe says: on a cluster those asked for, else its part of this
        machine's."""
        import torch

        return (asked or CLUSTER_THREADS) if self.cluster else max(1, torch.get_num_threads() // self.processes)

    def executor(self, work: Work, shared: Any, threads: int, device: str) -> Executor:
        """The executor for trainings with so many threads each, on a device or ``auto``."""
        return executors.open_executor(
            work,
            shared,
            workers=self.processes,
            cluster=self.cluster,
            threads=threads,
            gpus=device != "cpu",
            only_gpus=device.startswith("cuda"),
        )


ONE = Workers()
