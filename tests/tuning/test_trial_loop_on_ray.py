"""A search on a Ray cluster: the same trials as in this process, and none lost or recorded twice if a machine dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from rarebird.executors.ray_cluster import RayCluster
from rarebird.executors.this_process import ThisProcess
from rarebird.tuning.trial import trial
from rarebird.tuning.trial_loop import TrialLoop
from tests.executors.ray_machines import two_machines  # noqa: F401
from tests.tuning.searches import context, recorded, study
from tests.tuning.trial_works import slow

pytestmark = pytest.mark.xdist_group("heavy")


def test_trials_and_values_are_those_of_this_process(cluster: Any, tmp_path: Path) -> None:
    shared = context()
    with ThisProcess(trial, shared) as executor:
        TrialLoop(study(tmp_path / "here"), executor, most=3).run()
    with RayCluster(trial, shared, cluster.address, gpus=False) as executor:
        TrialLoop(study(tmp_path / "there"), executor, most=3).run()
    here, there = recorded(tmp_path / "here"), recorded(tmp_path / "there")
    assert len(here) == 3
    assert there == here


def test_a_machine_that_dies_during_a_search_costs_only_the_time_of_its_trials(
    cluster: Any,
    tmp_path: Path,
) -> None:
    second = cluster.second.node_id
    shared = {"folder": str(tmp_path), "seconds": 0.5}
    killed: list[Path] = []

    def progress(share: float, what: str) -> bool:
        running = [mark for mark in tmp_path.glob(f"*.{second}.*") if mark.read_text() == "begun"]
        if running and not killed and len(recorded(tmp_path / "run")) >= 2:
            killed.extend(running)
            cluster.remove_node(cluster.second, allow_graceful=False)
            # The processes of a lost machine end at once, too.
            os.kill(int(running[0].name.rpartition(".")[2]), signal.SIGKILL)
        return False

    with RayCluster(slow, shared, cluster.address, gpus=False) as executor:
        TrialLoop(study(tmp_path / "run"), executor, most=8, progress=progress).run()
    found = recorded(tmp_path / "run")
    assert [(place, state) for place, state, *_ in found] == [(place, "COMPLETE") for place in range(8)]
    # The trial that ran on the lost machine was begun again on the other one.
    (lost,) = killed
    assert lost.read_text() == "begun"
    (again,) = [mark for mark in tmp_path.glob(f"{lost.name.partition('e-')[0]}e-*") if mark != lost]
    assert second not in again.name
    assert again.read_text() == "done"
    # A search without the loss has the same trials.
    with ThisProcess(slow, {**shared, "folder": str(tmp_path / "run"), "seconds": 0.0}) as executor:
        TrialLoop(study(tmp_path / "whole"), executor, most=8).run()
    assert recorded(tmp_path / "whole") == found
