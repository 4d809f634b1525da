"""What a search does with its time: recipes around the leader while there is time for them, and only the best of them
kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.automl import local_search
from rarebird.automl import race as racing
from rarebird.automl import search as searching
from rarebird.automl.candidate import Candidate
from rarebird.automl.ensemble_selection import families, select
from rarebird.automl.local_search import BRACKET, FEWEST_TRIALS, FULL, SHORT, LocalSearch, luck
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.search import (
    ENOUGH_PASSES,
    MOST_REPEATS,
    MOST_SEEDS,
    REPEATS_TAKE,
    SEARCH_SHARE,
    SEED_STEP,
    Search,
    SearchOptions,
)
from rarebird.automl.trial_log import TrialLog
from rarebird.core.clock import RESERVE, RESERVE_SHARE, Clock
from rarebird.core.progress import silent
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit
from rarebird.training.step_plan import DEFAULT_EPOCHS
from tests.automl.made_runs import perceptron, setup, trees

BUDGET = 1000.0


class Made:
    """A search with candidates of given seconds and losses; only a training moves its clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, folds: int = 4, seconds: float = 10.0) -> None:
        self.now, self.seconds, self.entries = 5000.0, seconds, list[PortfolioEntry]()
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(local_search, "time", clock)
        monkeypatch.setattr(searching, "time", clock)
        monkeypatch.setattr(racing, "time", clock)
        base = perceptron(folds=folds, holdout=None if folds else 0.4, steps=None, epochs=8.0)
        of = setup(base)
        self.log = TrialLog(folder, 0, of.splits.train, {})
        self.search = Search(base, of, Clock(BUDGET, self.now), self.log, silent, SearchOptions())
        monkeypatch.setattr(self.search.race, "run", self._run)
        self.leader = self.candidate(PortfolioEntry("mlp", base, role="default"), 1.0)
        self.search.race.finished.append(self.leader)

    @property
    def until(self) -> float:
        return 5000 + SEARCH_SHARE * (BUDGET - RESERVE - RESERVE_SHARE * BUDGET)

    def around(self) -> int:
        """Search around the leader; how many recipes were proposed."""
        one = LocalSearch(self.search.race, self.log, self.leader, self.until)
        one.run()
        return one.proposed

    def _run(self, entries: Iterable[PortfolioEntry]) -> list[Candidate]:
        return list(self._came(entries))

    def _came(self, entries: Iterable[PortfolioEntry]) -> Iterator[Candidate]:
        for entry in entries:
            self.entries.append(entry)
            self.now += self.seconds * (SHORT if entry.partial else 1)
            # Candidates with more dropout are better.
            one = self.candidate(entry, 1.0 + float(entry.recipe.network.dropout))
            if not entry.partial:
                self.search.race.finished.append(one)
            self.log.record(entry, one)
            yield one

    def candidate(self, entry: PortfolioEntry, strength: float, others: bool = False) -> Candidate:
        """A candidate that leans to the true class by a strength, with the leader's errors or with those of other rows
        of a class."""
        y = self.search.setup.scored_rows.codes
        errors = np.random.default_rng(0).normal(0, 1, len(y))
        if others:
            for code in (0, 1):
                errors[y == code] = errors[y == code][::-1]
        true = 1 / (1 + np.exp(-strength - errors))
        predicted = np.where(np.eye(2)[y] > 0, true[:, None], 1 - true[:, None])
        made: Any = SimpleNamespace(history=[], changes=[], notes=[], ended="epochs", prior_factor=None)
        losses = self.search.criterion.rows(predicted)
        models = CrossFit(entry.recipe, [made])
        about = {"role": entry.role, "parent": entry.parent, "settings": entry.settings}
        return Candidate(entry.name, models, predicted, losses, self.seconds, 0.0, entry.is_reference, **about)


@pytest.fixture
def without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from rarebird.automl import candidate_files

    monkeypatch.setattr(candidate_files, "save", lambda candidate, folder, train: None)


def test_recipes_around_the_leader_take_their_share_of_the_time(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    proposed = made.around()
    expected = int((made.until - 5000) / made.seconds)
    assert len(made.entries) == expected - (5000 + expected * made.seconds >= made.until)
    assert made.now <= made.until
    assert [entry.name for entry in made.entries[:2]] == ["mlp, searched #1", "mlp, searched #2"]
    assert proposed == len(made.entries)
    assert all(entry.settings for entry in made.entries)
    assert len({entry.recipe.to_toml() for entry in made.entries}) == len(made.entries)
    for entry in made.entries[:3]:
        assert (entry.partial, entry.must, entry.stays) == (False, False, False)
    assert made.entries[0].share == pytest.approx(
        4 * made.seconds / (BUDGET - RESERVE - RESERVE_SHARE * BUDGET), rel=0.01
    )


def test_only_the_best_of_them_keeps_its_networks(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    made.around()
    searched = [one for one in made.search.race.finished if one.parent]
    best = min(searched, key=lambda one: one.loss)
    assert [one.name for one in searched if one.models.trained] == [best.name]
    assert made.leader.models.trained
    # It is surely better than its leader, and so may ship.
    assert [one.name for one in made.search._eligible()] == ["mlp", best.name]


def test_the_best_of_many_needs_to_be_surely_better(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    one = made.candidate(
        PortfolioEntry("mlp, searched #1", made.leader.models.recipe, parent="mlp", settings={"loss": "x"}),
        1.001,
        others=True,
    )
    made.search.race.finished.append(one)
    assert one.loss < made.leader.loss
    monkeypatch.setattr(made.log, "proposed", lambda: 8)
    assert [one.name for one in made.search._eligible()] == ["mlp"]


def test_the_best_of_them_is_compared_with_its_leader_on_the_seeds_of_both(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    base = made.leader.models.recipe
    monkeypatch.setattr(made.log, "proposed", lambda: 8)

    def add(name: str, seed: int, strength: float, parent: str | None = None) -> None:
        entry = PortfolioEntry(name, base.updated(seed=seed), parent=parent, settings={"loss": "x"} if parent else {})
        made.search.race.finished.append(made.candidate(entry, strength))

    # One more seed of the leader, much better than the searched recipe's only one, says nothing of that seed.
    add("mlp, searched #1", base.seed, 1.5, parent="mlp")
    add("mlp", base.seed + 1, 4.0)
    assert [one.name for one in made.search._eligible()] == ["mlp", "mlp", "mlp, searched #1"]
    # A lucky seed that the leader has not got does not make a recipe better than its leader.
    del made.search.race.finished[1:]
    add("mlp, searched #2", base.seed, 0.9, parent="mlp")
    add("mlp, searched #2", base.seed + 1, 4.0, parent="mlp")
    assert [one.name for one in made.search._eligible()] == ["mlp"]


def test_few_trials_are_no_search(without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, monkeypatch, seconds=1.01 * SEARCH_SHARE * BUDGET / FEWEST_TRIALS)
    assert made.around() == 0
    assert made.entries == []


def test_of_a_hold_out_the_best_short_courses_go_on(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    made.around()
    bracket = BRACKET + FULL
    assert len(made.entries) % bracket == 0
    assert len(made.entries) // bracket == int((made.until - 5000) / (made.seconds * (BRACKET * SHORT + FULL)))
    for start in range(0, len(made.entries), bracket):
        short, whole = made.entries[start : start + BRACKET], made.entries[start + BRACKET : start + bracket]
        assert all(entry.partial for entry in short)
        assert not any(entry.partial for entry in whole)
        best = sorted(short, key=lambda entry: -float(entry.recipe.network.dropout))[:FULL]
        assert [entry.name for entry in whole] == [entry.name for entry in best]
        for one, other in zip(best, whole, strict=True):
            assert one.recipe.epochs == pytest.approx(SHORT * (other.recipe.epochs or DEFAULT_EPOCHS))
            assert one.recipe.updated(epochs=None) == other.recipe.updated(epochs=None)
            assert one.settings == other.settings
    # Short courses are no candidates.
    assert len([one for one in made.search.race.finished if one.parent]) == len(made.entries) * FULL // bracket


@pytest.mark.parametrize(
    ("passes", "expected"),
    [(0.5, 1.0), (ENOUGH_PASSES, 1.0), (2 * ENOUGH_PASSES, 1 / 2), (50 * ENOUGH_PASSES, 1 / MOST_SEEDS)],
)
def test_a_recipe_alone_leaves_time_for_other_seeds_where_each_sees_its_rows_often(
    passes: float, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    rows = len(made.search.setup.parts(0)[0][0])

    def planned(recipe: Recipe, train: Any, learned: np.ndarray, fold: int, device: str) -> Any:
        steps = round(passes * len(learned) / recipe.batch_size)
        return SimpleNamespace(plan=lambda deadline, trainings: recipe.updated(steps=steps))

    monkeypatch.setattr(searching, "trainer_of", planned)
    assert rows == len(made.search.setup.splits.train) - 64
    assert made.search._share_of_default(made.search.base, "cpu") == pytest.approx(expected)
    made.search.options = SearchOptions(single=True)
    assert made.search._share_of_default(made.search.base, "cpu") == 1.0


def test_parts_of_a_cross_fitting_are_repeated_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, monkeypatch)
    assert made.search._share_of_default(made.search.base, "cpu") == 1.0


@pytest.mark.parametrize(
    ("spent", "skipped", "said"),
    [
        (0.5, False, "the final model has up to 5 seeds, and more are not expected to help"),
        (0.5, True, "there was no time for one more training"),
        (0.9, False, None),
    ],
)
def test_an_early_end_has_a_reason(
    spent: float, skipped: bool, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Made(tmp_path, monkeypatch).search
    search.selection = select(
        families(search.race.finished, search.criterion), search.criterion, search.race.context.parts
    )
    monkeypatch.setattr(Clock, "elapsed", lambda self: spent * BUDGET)
    search.skipped = skipped
    notes = [note for note in search.notes() if "before the end of the budget" in note]
    assert notes == ([] if said is None else [f"The search ended before the end of the budget, because {said}."])


def test_selected_recipes_are_repeated_while_there_is_time(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    made.search.race.run(made.search._repeats())
    assert [entry.recipe.seed for entry in made.entries] == [SEED_STEP * repeat for repeat in range(1, MOST_REPEATS)]
    assert all(entry.stays for entry in made.entries)
    assert not made.search.skipped
    late = Made(tmp_path / "late", monkeypatch, seconds=0.4 * BUDGET)
    late.search.race.run(late.search._repeats())
    assert len(late.entries) == 2
    assert late.search.skipped


def test_only_networks_of_series_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of two draws of kernels was no better than one, and took twice the time in training and prediction."""
    made = Made(tmp_path, monkeypatch)
    solved = replace(made.leader, is_reference=True)
    assert made.search._is_repeated(solved)
    made.search.base = made.search.base.updated(kind="series")
    assert not made.search._is_repeated(solved)
    assert made.search._is_repeated(made.leader)


@pytest.mark.parametrize("tried", [1, 2, 8, 20, 200])
def test_luck_is_the_gain_of_the_best_of_equal_recipes(tried: int) -> None:
    best = np.random.default_rng(0).normal(size=(4000, tried)).max(axis=1)
    assert luck(tried) == pytest.approx(float(best.mean()), abs=0.15)


def test_trees_are_searched_where_they_lead(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    forest = made.candidate(PortfolioEntry("trees", trees(folds=0, holdout=0.4), is_reference=True), 2.0)
    made.search.race.finished.append(forest)
    assert made.search._leader() is forest
    made.leader = forest
    made.around()
    assert all(entry.is_reference for entry in made.entries)
    # They have no passes to halve.
    assert not any(entry.partial for entry in made.entries)
    assert {name for entry in made.entries for name in entry.settings} == {
        f"reference.{name}" for name in ("rounds", "learning_rate", "leaves", "fewest_rows", "l2", "column_share")
    }
    made.search.options = SearchOptions(single=True)
    assert made.search._leader().name == "mlp"


@pytest.mark.parametrize(
    ("seconds", "share"), [(1.0, 1 - REPEATS_TAKE * (MOST_REPEATS - 1) / BUDGET), (500.0, SEARCH_SHARE)]
)
def test_a_search_goes_on_where_repeats_need_little(
    seconds: float, share: float, without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, seconds=seconds)
    assert made.search._search_ends() == pytest.approx(5000 + share * BUDGET, abs=0.03 * BUDGET)
