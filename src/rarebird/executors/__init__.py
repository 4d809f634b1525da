"""Where work runs: in this process, in several processes of this machine, or on a Ray cluster.

An executor runs one function on many items and does not know what the items are.
"""

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
    """The executor that the arguments ask for, to be used in a ``with`` block.

    Args:
        work: The function that is run on each item; a function of a module.
        shared: An object that all items share.
        workers: Processes of this machine; 1 for this process itself.
        cluster: The address of a Ray cluster, or ``auto``, instead of processes of this machine.
        threads: CPU threads of one item.
        gpus: Whether items on a cluster may take a GPU each.
        only_gpus: Whether each item on a cluster must take a GPU.

    Raises:
        DataError: Both workers and a cluster were asked for, or the cluster cannot be used.
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
