"""Who runs the trainings, and with how many threads."""

from __future__ import annotations

import pytest
import torch

from rarebird.executors.local_processes import LocalProcesses
from rarebird.executors.this_process import ThisProcess
from rarebird.executors.workers import ONE, Workers
from tests.executors import works


def test_threads_are_shared_by_processes_and_one_on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    assert ONE.threads(None) == 6
    assert Workers(4).threads(None) == 1
    assert Workers(3).threads(None) == 2
    assert [Workers(cluster="auto").threads(asked) for asked in (None, 3)] == [1, 3]


def test_trainings_run_elsewhere_with_several_processes_or_a_cluster() -> None:
    assert [one.elsewhere for one in (ONE, Workers(2), Workers(cluster="auto"))] == [False, True, True]


@pytest.mark.parametrize(("workers", "kind"), [(ONE, ThisProcess), (Workers(2), LocalProcesses)])
def test_the_executor_is_that_of_the_workers(workers: Workers, kind: type) -> None:
    with workers.executor(works.summed, None, 1, "cpu") as executor:
        assert isinstance(executor, kind)
        assert executor.free == workers.processes
