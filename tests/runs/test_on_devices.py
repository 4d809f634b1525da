"""A run by two processes: what one process gives, what ends it, and what is refused."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError, UnavailableError
from rarebird.core.clock import Clock
from rarebird.executors.ranks import Rank, of_torchrun
from rarebird.experiment.run import Outcome
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.on_devices import fit_on_devices
from rarebird.runs.request import Request
from tests.command_line import rarebird

pytestmark = pytest.mark.xdist_group("ranks")


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """A table of two classes, and a recipe that trains two small networks on it."""
    folder = tmp_path_factory.mktemp("devices")
    rng = np.random.default_rng(0)
    y = rng.random(161) < 0.2
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=161), "target": np.where(y, "yes", "no")})
    frame.to_csv(folder / "rows.csv", index=False)
    settings = ("network=mlp", "network.dropout=0", "folds=2", "batch_sampling=class_balanced", "batch_size=33")
    return Request(
        folder / "rows.csv", folder / "run", settings=settings, steps=6, threads=1, device="cpu", price_per_hour=1800.0
    )


def probabilities(outcome: Outcome) -> np.ndarray:
    assert outcome.test_rows is not None
    assert outcome.out_of_fold is not None
    return np.concatenate([outcome.test_rows.outputs, outcome.out_of_fold])


def test_a_run_by_two_processes_is_that_of_one(request_: Request) -> None:
    two = fit_on_devices(request_, Clock(), 2)
    one = fit_recipe(replace(request_, out=request_.out.with_name("alone")), Clock())
    assert two is not None
    np.testing.assert_allclose(probabilities(two), probabilities(one), atol=1e-5)
    assert two.recipe == one.recipe
    cost = two.result.cost
    assert cost is not None
    assert cost.processes == 2
    assert 0 < cost.cpu_hours_of_others < cost.cpu_hours
    # Half an hour's price a second of the run.
    assert cost.money == pytest.approx(0.5 * two.result.seconds, rel=0.5)
    assert cost.sentence() in two.result.notes
    assert (request_.out / "model" / "model.json").is_file()


def test_a_process_that_dies_ends_the_run(request_: Request) -> None:
    """With a sentence, without a file, and without another process that is left."""
    out = request_.out.with_name("killed")
    killed: list[multiprocessing.process.BaseProcess] = []

    def kill(share: float, what: str) -> bool:
        if what.startswith("training") and not killed:
            killed.extend(multiprocessing.active_children())
            killed[0].kill()
        return False

    with pytest.raises(UnavailableError, match=r"^Process 1 of 2 ended \(killed by signal 9\) before the training did"):
        fit_on_devices(replace(request_, out=out, steps=5000), Clock(), 2, kill)
    assert len(killed) == 1
    assert not out.exists()
    assert not multiprocessing.active_children()


def test_torchrun_says_which_process_this_is() -> None:
    assert of_torchrun({"RANK": "1", "WORLD_SIZE": "2"}) is None
    variables = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    assert of_torchrun(variables) == Rank(5, 8, 1, 4)
    with pytest.raises(DataError, match="torchrun sets RANK"):
        of_torchrun(variables | {"RANK": "first"})


def test_a_search_on_several_devices_is_refused(
    request_: Request, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "fit", request_.data, "--devices", 2)
    assert done.code == 2
    assert done.err == (
        "rarebird: A search trains on one device at a time; for several give --recipe, --steps or --set.\n"
    )


@pytest.mark.parametrize(
    ("number", "said"), [(0, "rarebird: Only fit trains with several processes, not profile; "), (1, "")]
)
def test_torchrun_is_for_fit_alone(
    request_: Request, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    given = {"RANK": number, "WORLD_SIZE": 2, "LOCAL_RANK": number, "LOCAL_WORLD_SIZE": 2, "TORCHELASTIC_RUN_ID": 1}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    done = rarebird(capsys, monkeypatch, "profile", request_.data)
    assert done.code == 2
    assert done.err == (f"{said}start it without torchrun.\n" if said else "")
