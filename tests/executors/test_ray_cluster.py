"""A Ray cluster: the same events as anywhere else, GPUs and CPUs side by side, and a second attempt after a worker
dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.executors.executor import Returned, WorkerLost
from rarebird.executors.ray_cluster import CPU, GPU, RayCluster
from tests.executors import works
from tests.executors.ray_machines import two_machines  # noqa: F401
from tests.executors.running import SHARED, attempts, events_by_key

pytestmark = pytest.mark.xdist_group("heavy")


def test_items_yield_and_return_once_and_a_dropped_item_ends(cluster: Any) -> None:
    with RayCluster(works.summed, SHARED, cluster.address, gpus=False) as executor:
        events = events_by_key(executor, [1, 2, 3, 4], drop=lambda event: event.key == 2)
    assert [len(of) for of in events.values()] == [3, 3, 1, 3]
    assert events[0][-1].value["value"] == SHARED["array"].sum() + 1  # type: ignore[union-attr]


def test_after_one_killed_worker_an_item_is_tried_again_and_after_two_it_is_lost(
    cluster: Any,
    tmp_path: Path,
) -> None:
    with RayCluster(works.deadly, tmp_path, cluster.address, gpus=False) as executor:
        events = events_by_key(executor, ["a", "once", "always"])
    assert [type(of[-1]) for of in events.values()] == [Returned, Returned, WorkerLost]
    assert attempts(tmp_path) == {"a": 1, "once": 2, "always": 2}


def test_gpus_and_cpus_take_items_from_one_queue(cluster: Any) -> None:
    with RayCluster(works.devices, None, cluster.address, gpus=True) as executor:
        assert executor._slots() == {GPU: 1, CPU: 1}
        events = events_by_key(executor, list(range(4)))
    seen = [of[-1].value for of in events.values()]  # type: ignore[union-attr]
    assert set(seen) == {"0", ""}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_no_cluster_is_one_sentence(address: str) -> None:
    with pytest.raises(DataError, match=f"No Ray cluster answers at '{address}'"):
        RayCluster(works.summed, np.zeros(1), address)
