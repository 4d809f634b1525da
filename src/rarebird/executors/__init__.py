"""Where items are worked on: in this process, in several of this machine, or on a Ray cluster. What the items are, no
executor knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rarebird.core.checks import DataError

if TYPE_CHECKING:
    from rarebird.executors.executor import Executor, Work


def open_executor(
    work: Work,
    shared: Any,
    *,
    workers: int = 1,
    cluster: str | None = None,
    threads: int = 1,
    gpus: bool = False,
    only_gpus: bool = False,
) -> Executor:
    """The executor that was asked for, to be used in a ``with`` block.

    Args:
        work: What is done with an item; a function of a module.
        shared: What all items share.
        workers: Processes of this machine; 1 for this process itself.
        cluster: The address of a Ray cluster, or ``auto``, in place of them.
        threads: CPU threads of one item.
        gpus: Whether items on a cluster may take a GPU each.
        only_gpus: Whether they must.

    Raises:
        DataError: Both were asked for, or the cluster cannot serve.
    """
    if cluster is not None:
        if workers > 1:
            raise DataError(
                "Trials run in processes of this machine or on a cluster; give one of --workers and --cluster."
            )
        from rarebird.executors.ray_cluster import RayCluster

        return RayCluster(work, shared, cluster, cpus=threads, gpus=gpus, only_gpus=only_gpus)
    if workers > 1:
        from rarebird.executors.local_processes import LocalProcesses

        return LocalProcesses(work, shared, workers, threads)
    from rarebird.executors.this_process import ThisProcess

    return ThisProcess(work, shared)
