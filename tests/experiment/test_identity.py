"""The identity of a search changes with all that decides which rows are learned, held out and judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.copies import Copies
from rarebird.experiment.identity import split_identity
from rarebird.experiment.setup import prepare_run
from rarebird.recipe.recipe import Recipe

N = 60


def rows(seed: int = 0, **more: Any) -> Dataset:
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(N, 3)), columns=list("abc"))
    y = np.arange(N) % 3 // 2
    return Dataset(
        "table", "classification", Frame(frame), np.arange(N), y, ("no", "yes"), np.arange(N).astype(str), **more
    )


def identity(data: Splits, test_share: float = 0.2, keep: bool = False, **recipe: Any) -> dict[str, Any]:
    asked = Recipe(kind="table", network="mlp", **recipe)
    setup = prepare_run(asked, data, device="cpu", test_share=test_share, copies=Copies(keep))
    return split_identity(data, test_share, setup.splits, setup.parts(asked.seed), keep)


def changed(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


SITES = np.repeat(np.arange(20), 3).astype(str)
OTHERS = {
    "grouping": Splits(rows(group=SITES)),
    "order in time": Splits(rows(time=np.arange(N))),
    "choice of validation rows": Splits(rows(), val=rows(1)),
    "choice of test rows": Splits(rows(), test=rows(1)),
    "split": Splits(rows(weight=np.where(np.arange(N) == 3, 0.0, 1.0))),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_rows_are_another_search_and_the_user_hears_which(what: str) -> None:
    plain = identity(Splits(rows()))
    assert plain == identity(Splits(rows()))
    found = changed(plain, identity(OTHERS[what]))
    assert found[0] == what
    assert found[-1] == "split"


def test_other_groups_times_and_judged_rows_are_another_search() -> None:
    pairs = [
        (Splits(rows(group=SITES)), Splits(rows(group=SITES[::-1].copy()[np.roll(np.arange(N), 1)]))),
        (Splits(rows(time=np.arange(N))), Splits(rows(time=-np.arange(N)))),
        (Splits(rows(), test=rows(1)), Splits(rows(), test=rows(2))),
        (Splits(rows(), val=rows(1)), Splits(rows(), val=rows(2))),
    ]
    names = ["grouping", "order in time", "choice of test rows", "choice of validation rows"]
    assert [changed(identity(one), identity(other))[0] for one, other in pairs] == names
    # Other names for the same groups, in the same order, and another unit of time are the same search.
    renamed = Splits(rows(group=np.char.add("site ", SITES)))
    assert identity(Splits(rows(group=SITES))) == identity(renamed)
    assert identity(Splits(rows(time=np.arange(N)))) == identity(Splits(rows(time=7.0 * np.arange(N))))


def test_another_seed_share_and_number_of_folds_split_otherwise() -> None:
    plain, data = identity(Splits(rows())), Splits(rows())
    assert changed(plain, identity(data, seed=1)) == ["split"]
    assert changed(plain, identity(data, folds=3)) == ["split"]
    assert changed(plain, identity(data, test_share=0.3)) == ["choice of test rows", "split"]


def test_copies_that_are_kept_are_another_search() -> None:
    data = Splits(rows(), test=rows().take(np.arange(10)))
    assert changed(identity(data), identity(data, keep=True)) == ["treatment of copies", "split"]
