"""What a search costs beside its trials: the seconds of its loop per trial, with the trials on disk.

    python benchmarks/search_overhead.py [--trials 200] [--seconds 0.1] [--running 10,100] [--workers 2] [--cluster
    auto]

The first part runs trials that sleep, one after another in this process, as `tune` does, and prints the mean time per
trial less the sleep (asked: below 50 ms for random and TPE; the Gaussian process is fitted anew for each trial). The
second part keeps a number of trials running that end at once, so that the loop never waits: one second divided by its
time per trial is the largest number of trials per second, on any cluster. The last part runs items that sleep in local
processes, or on a Ray cluster, and prints the time of each item on its worker less the sleep: the cost of handing it
over. `docs/scaling.md` explains these figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from rarebird import executors
from rarebird.executors.executor import Closing, Event, Executor, Returned
from rarebird.executors.this_process import ThisProcess
from rarebird.tuning.space import Space
from rarebird.tuning.study import Study
from rarebird.tuning.trial import TrialTask
from rarebird.tuning.trial_loop import TrialLoop

# The usual ranges of `tune` around a table's default recipe: six numbers and a choice.
SPACE = Space.of(
    {
        "kind": "table",
        "batch_size": {"low": 32, "high": 512, "log": True},
        "network": {
            "name": "mlp",
            "depth": {"low": 1, "high": 4},
            "width": {"low": 32, "high": 512, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
        },
        "optimizer": {
            "name": "adamw",
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "weight_decay": {"low": 1e-5, "high": 1e-1, "log": True},
        },
        "loss": {"choices": ["cross_entropy", "logit_adjusted", "balanced_softmax"]},
    }
)


def asleep(seconds: float, task: TrialTask) -> Generator[Any, None, tuple[float, dict[str, Any]]]:
    """A trial that trains nothing."""
    time.sleep(seconds)
    return task.recipe.optimizer.learning_rate, {"values": [0.5] * 5, "training_loss": 0.3, "seconds": seconds}
    yield


class Instant(Closing):
    """Workers whose trials end at once, the oldest first.

    Args:
        workers: Number of workers.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._running: dict[int, TrialTask] = {}

    @property
    def free(self) -> int:
        return self._workers - len(self._running)

    def start(self, key: int, item: TrialTask) -> None:
        self._running[key] = item

    def wait(self, seconds: float) -> Sequence[Event]:
        key = next(iter(self._running))
        return [Returned(key, (self._running.pop(key).recipe.optimizer.learning_rate, {"values": [0.5] * 5}))]

    def drop(self, key: int) -> None:
        self._running.pop(key)


def seconds_per_trial(strategy: Any, executor: Executor, trials: int) -> float:
    """Wall-clock seconds of a search, divided by the number of its trials."""
    with tempfile.TemporaryDirectory() as folder, executor:
        study = Study(Path(folder), SPACE, larger_is_better=True, strategy=strategy, seed=0, startup=10, identity={})
        start = time.perf_counter()
        TrialLoop(study, executor, trials).run()
        seconds = time.perf_counter() - start
        assert len(study.finished()) == trials
        study.close()
    return seconds / trials


def napping(shared: None, seconds: float) -> Generator[Any, None, None]:
    """An item that only sleeps."""
    time.sleep(seconds)
    return
    yield


def handing_over(executor: Executor, seconds: float, items: int) -> float:
    """Seconds of a worker per item beside the sleep, once all workers have started."""
    with executor:
        slots = executor.free
        through(executor, [1.0] * slots)
        return through(executor, [seconds] * items) * slots / items - seconds


def through(executor: Executor, items: Sequence[float]) -> float:
    """Wall-clock seconds until all items are done."""
    start, begun, done = time.perf_counter(), 0, 0
    while done < len(items):
        while begun < len(items) and executor.free:
            executor.start(begun, items[begun])
            begun += 1
        done += len(executor.wait(1.0))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--strategies", default="random,tpe,gaussian_process")
    parser.add_argument("--running", default="10,100", help="numbers of trials that run at once")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cluster", help="also a Ray cluster's address, or auto")
    arguments = parser.parse_args()
    for strategy in arguments.strategies.split(","):
        # A Gaussian process is fitted to all earlier trials; fifty trials show what that costs.
        trials = arguments.trials if strategy != "gaussian_process" else min(arguments.trials, 50)
        taken = seconds_per_trial(strategy, ThisProcess(asleep, arguments.seconds), trials)
        beside = 1000 * (taken - arguments.seconds)
        print(
            f"{strategy}: {beside:.1f} ms per trial, beside {arguments.seconds} s of sleep; {trials} trials", flush=True
        )
    for workers in [int(part) for part in arguments.running.split(",") if part]:
        for strategy in ("random", "tpe"):
            taken = seconds_per_trial(strategy, Instant(workers), 2 * workers + 20)
            print(f"{strategy}, {workers} running: {1000 * taken:.1f} ms of the loop per trial", flush=True)
    places: dict[str, dict[str, Any]] = (
        {f"{arguments.workers} local processes": {"workers": arguments.workers}} if arguments.workers > 1 else {}
    )
    places |= {"a Ray cluster": {"cluster": arguments.cluster}} if arguments.cluster else {}
    for name, where in places.items():
        taken = handing_over(executors.open_executor(napping, None, **where), arguments.seconds, arguments.trials)
        beside = f"beside {arguments.seconds} s of sleep; {arguments.trials} items"
        print(f"{name}: {1000 * taken:.1f} ms of a worker per item, {beside}", flush=True)


if __name__ == "__main__":
    main()
