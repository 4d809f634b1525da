"""Where the trainings of a search run: in this process, in several processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rarebird import executors

if TYPE_CHECKING:
    from rarebird.executors.executor import Executor, Work

# A training on a cluster takes one CPU unless --threads gives another number: networks for small data gain little from
# more.
CLUSTER_THREADS = 1


@dataclass(frozen=True)
class Workers:
    """Who runs the trainings.

    Attributes:
        processes: Processes of this machine; 1 for this process itself.
        cluster: The address of a Ray cluster, or ``auto``, instead of processes of this machine.
    """

    processes: int = 1
    cluster: str | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether trainings run in other processes than this one."""
        return self.processes > 1 or self.cluster is not None

    def threads(self, asked: int | None) -> int:
        """CPU threads of one training, if its recipe gives no number.

        On a cluster, the number that was asked for; otherwise an equal share of this process's threads.
        """
        import torch

        return (asked or CLUSTER_THREADS) if self.cluster else max(1, torch.get_num_threads() // self.processes)

    def executor(self, work: Work, shared: Any, threads: int, device: str) -> Executor:
        """The executor for trainings.

        Args:
            work: The function that is run on each item.
            shared: An object that all items share.
            threads: CPU threads of one training.
            device: A torch device, or ``auto``.
        """
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
