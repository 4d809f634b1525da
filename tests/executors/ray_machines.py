"""A Ray cluster of two machines, both on this one, for the tests that run on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from rarebird.executors.ray_cluster import ENVIRONMENT

os.environ.update(ENVIRONMENT)
pytest.importorskip("ray", reason="Ray is not installed: pip install 'rarebird[cluster]'")
# A machine that is gone is noticed after 1.5 s, and not after the 15 s that suit a real network.
QUICK = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
STORE = 80 * 2**20


@pytest.fixture(name="cluster", scope="module")
def two_machines() -> Iterator[Any]:
    """The cluster; `cluster.second` is its second machine, which has a GPU."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False, "_system_config": QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    # There is no real GPU: Ray counts it, and tells the task its number.
    cluster.second = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=STORE)
    yield cluster
    cluster.shutdown()
