"""Two ranks train as one process does: the same weights and learning curves, for every method that looks at a batch."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.executors.ranks import others
from tests.training.rank_cases import BY_GLOO, CASES, RESUMED, take_part, values

pytestmark = pytest.mark.xdist_group("ranks")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    """What each of two ranks found; the first one is this process."""
    folder = tmp_path_factory.mktemp("ranks")
    with others(take_part, (folder,), 2, 1) as (first, second):
        take_part(first, folder)
        assert second.why_ended() is None
    return [dict(np.load(folder / f"rank_{rank}.npz")) for rank in range(2)]


# Their draws are those of each rank.
DIFFER = ("averaging",)
# Blocks of numbers that share a scale are others where each rank has a part of the numbers.
ROUNDED = {"sharded states": 2e-2}


@pytest.mark.parametrize("name", [name for name in CASES if name not in DIFFER])
def test_two_ranks_are_one_process(ranks: list[dict[str, np.ndarray]], name: str) -> None:
    np.testing.assert_array_equal(ranks[0][name], ranks[1][name])
    alone = values(name)
    np.testing.assert_allclose(ranks[0][name], alone, atol=ROUNDED.get(name, 1e-5))
    if name in BY_GLOO:
        np.testing.assert_allclose(ranks[0][f"{name} by gloo"], alone, atol=1e-5)


@pytest.mark.parametrize("name", RESUMED)
def test_ranks_that_resume_give_the_same_bits(ranks: list[dict[str, np.ndarray]], name: str) -> None:
    for found in ranks:
        np.testing.assert_array_equal(found[f"{name} resumed"], found[name])


def test_ranks_that_disagree_are_refused(ranks: list[dict[str, np.ndarray]]) -> None:
    """Among the first one's faults: a held-out row among the training rows of one rank."""
    together = "all processes must read the same data with the same recipe and the same version of rarebird."
    for found in ranks:
        assert found["refused"].tolist() == [
            f"The training rows of process 1 are not those of process 0; {together}",
            f"The versions of process 1 are not those of process 0; {together}",
            "Process 1: no file",
            "Several devices share the steps of a network, but the recipe trains boosted_trees in its place; "
            "leave out --devices.",
            "A batch of 1 rows cannot be divided among 2 devices; give fewer devices or a larger batch_size.",
            "sharded=true does not serve ema, which needs whole weights; leave out one of the two.",
        ]
