"""A Ray cluster of two machines on this one: the same trials as anywhere else, and none lost or recorded twice when a
machine dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rarebird.automl.contest import Contest
from rarebird.automl.entry import Entry

from rarebird.automl.ensemble_selection import Criterion
from rarebird.automl.race import Race
from rarebird.core.checks import DataError
from rarebird.executors.executor import Returned, WorkerLost
from rarebird.executors.ray_cluster import CPU, ENVIRONMENT, GPU, RayCluster
from rarebird.executors.this_process import ThisProcess
from rarebird.executors.workers import Workers
from rarebird.tuning.trial import trial
from rarebird.tuning.trial_loop import Driver
from tests.automl.made_runs import ground, perceptron, trees
from tests.executors import works
from tests.executors.test_executors import SHARED, all_of
from tests.tuning.searches import judging, recorded, study

os.environ.update(ENVIRONMENT)
pytest.importorskip("ray", reason="Ray is not installed: pip install 'rarebird[cluster]'")
pytestmark = pytest.mark.xdist_group("heavy")
# A machine that is gone is missed after 1.5 s, and not after the 15 s that suit a real network.
QUICK = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
STORE = 80 * 2**20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False, "_system_config": QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    # A GPU in name alone: Ray counts it, and tells the task its number.
    cluster.second = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=STORE)
    yield cluster
    cluster.shutdown()


def test_trials_and_values_are_those_of_this_process(cluster: Any, tmp_path: Path) -> None:
    shared = judging()
    for name in ("here", "there"):
        with (
            ThisProcess(trial, shared)
            if name == "here"
            else RayCluster(trial, shared, cluster.address, gpus=False) as executor
        ):
            Driver(study(tmp_path / name), executor, most=3).run(lambda progress, what: False)
    here, there = recorded(tmp_path / "here"), recorded(tmp_path / "there")
    assert len(here) == 3
    assert there == here


def test_candidates_of_a_fit_are_those_of_this_process(cluster: Any) -> None:
    of = ground()
    criterion = Criterion.of(of.judged, of.splits.train.prior, "balanced_accuracy")
    found = []
    for workers in (Workers(), Workers(cluster=cluster.address)):
        with Race(Contest(of, criterion, 0, threads=1), np.inf, lambda progress, what: False, workers=workers) as race:
            race.run([Entry("trees", trees(), must=True), Entry("mlp", perceptron(), must=True)])
        found.append({one.name: one.predicted for one in race.finished})
    assert set(found[0]) == set(found[1]) == {"trees", "mlp"}
    for name, predicted in found[0].items():
        np.testing.assert_array_equal(found[1][name], predicted)


def test_what_is_told_is_told_once_dropped_items_end_and_dead_workers_cost_an_attempt(
    cluster: Any, tmp_path: Path
) -> None:
    with RayCluster(works.summed, SHARED, cluster.address, gpus=False) as executor:
        told = all_of(executor, [1, 2, 3, 4], drop=lambda said: said.key == 2)
    assert [len(events) for events in told.values()] == [3, 3, 1, 3]
    assert told[0][-1].value["value"] == SHARED["array"].sum() + 1  # type: ignore[union-attr, operator]
    with RayCluster(works.deadly, tmp_path, cluster.address, gpus=False) as executor:
        told = all_of(executor, ["a", "once", "always"])
    assert [type(events[-1]) for events in told.values()] == [Returned, Returned, WorkerLost]
    assert {path.name: len(path.read_text()) for path in tmp_path.iterdir()} == {"a": 1, "once": 2, "always": 2}


def test_gpus_and_cpus_pull_from_one_queue(cluster: Any) -> None:
    with RayCluster(works.devices, None, cluster.address, gpus=True) as executor:
        assert executor._slots() == {GPU: 1, CPU: 1}
        told = all_of(executor, list(range(4)))
    seen = [events[-1].value for events in told.values()]  # type: ignore[union-attr]
    assert set(seen) == {"0", ""}


def test_a_machine_that_dies_in_mid_search_costs_its_trials_time_and_nothing_else(cluster: Any, tmp_path: Path) -> None:
    second = cluster.second.node_id
    shared = {"folder": str(tmp_path), "seconds": 0.5}
    killed: list[Path] = []

    def tell(progress: float, what: str) -> bool:
        at_work = [mark for mark in tmp_path.glob(f"*.{second}.*") if mark.read_text() == "begun"]
        if at_work and not killed and len(recorded(tmp_path / "run")) >= 2:
            killed.extend(at_work)
            cluster.remove_node(cluster.second, allow_graceful=False)
            # What ran on a machine that is gone is gone at once, too.
            os.kill(int(at_work[0].name.rpartition(".")[2]), signal.SIGKILL)
        return False

    with RayCluster(works.slow, shared, cluster.address, gpus=False) as executor:
        Driver(study(tmp_path / "run"), executor, most=8).run(tell)
    found = recorded(tmp_path / "run")
    assert [(place, state) for place, state, *_ in found] == [(place, "COMPLETE") for place in range(8)]
    # The trial that was under way there was begun anew on the other machine.
    (lost,) = killed
    assert lost.read_text() == "begun"
    (again,) = [mark for mark in tmp_path.glob(f"{lost.name.partition('e-')[0]}e-*") if mark != lost]
    assert second not in again.name
    assert again.read_text() == "done"
    # The same trials as in a search that nothing befell.
    with ThisProcess(works.slow, {**shared, "folder": str(tmp_path / "run"), "seconds": 0.0}) as executor:
        Driver(study(tmp_path / "whole"), executor, most=8).run(lambda progress, what: False)
    assert recorded(tmp_path / "whole") == found


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_no_cluster_is_one_sentence(address: str) -> None:
    with pytest.raises(DataError, match=f"No Ray cluster answers at '{address}'"):
        RayCluster(works.summed, np.zeros(1), address)
