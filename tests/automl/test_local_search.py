"""What a search does with its time: recipes around the leader while there is time for them, and only the best of them
kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.automl import local_search
from rarebird.automl import race as racing
from rarebird.automl import search as searching
from rarebird.automl.candidate import Candidate
from rarebird.automl.choosing import choose, families
from rarebird.automl.entry import Entry
from rarebird.automl.local_search import BRACKET, FEWEST_TRIALS, SHORT, WHOLE, Around, luck
from rarebird.automl.search import (
    ENOUGH_PASSES,
    MOST_REPEATS,
    MOST_SEEDS,
    REPEATS_TAKE,
    SEARCH_SHARE,
    SEED_STEP,
    Search,
)
from rarebird.automl.trial_log import TrialLog
from rarebird.core.clock import Clock
from rarebird.experiment.run import RESERVE, RESERVE_SHARE
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Team
from rarebird.training.network_trainer import DEFAULT_EPOCHS
from tests.automl.made_runs import ground, perceptron, trees

BUDGET = 1000.0


class Made:
    """A search whose candidates take a time and have losses that are made up; its clock stands still but for them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, folds: int = 4, seconds: float = 10.0) -> None:
        self.now, self.seconds, self.entries = 5000.0, seconds, list[Entry]()
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(local_search, "time", clock)
        monkeypatch.setattr(searching, "time", clock)
        monkeypatch.setattr(racing, "time", clock)
        base = perceptron(folds=folds, holdout=None if folds else 0.4, steps=None, epochs=8.0)
        of = ground(base)
        self.log = TrialLog(folder, 0, of.splits.train, {})
        self.search = Search(base, of, Clock(BUDGET, self.now), self.log, lambda progress, what: False)
        monkeypatch.setattr(self.search.race, "run", self._run)
        self.leader = self.candidate(Entry("mlp", base), 1.0)
        self.search.race.finished.append(self.leader)

    @property
    def until(self) -> float:
        return 5000 + SEARCH_SHARE * (BUDGET - RESERVE - RESERVE_SHARE * BUDGET)

    def around(self) -> int:
        """Search around the leader; how many recipes were proposed."""
        one = Around(self.search.race, self.log, self.leader, self.until)
        one.run()
        return one.number

    def _run(self, entries: Iterable[Entry]) -> list[Candidate]:
        return list(self._came(entries))

    def _came(self, entries: Iterable[Entry]) -> Iterator[Candidate]:
        for entry in entries:
            self.entries.append(entry)
            self.now += self.seconds * (SHORT if entry.partial else 1)
            # Candidates with more dropout are better.
            one = self.candidate(entry, 1.0 + float(entry.recipe.network.dropout))
            if not entry.partial:
                self.search.race.finished.append(one)
            self.log.record(entry, one)
            yield one

    def candidate(self, entry: Entry, strength: float, others: bool = False) -> Candidate:
        """A candidate that leans to the true class by a strength, with the leader's errors or with those of other rows
        of a class."""
        y = self.search.ground.judged.codes
        errors = np.random.default_rng(0).normal(0, 1, len(y))
        if others:
            for code in (0, 1):
                errors[y == code] = errors[y == code][::-1]
        true = 1 / (1 + np.exp(-strength - errors))
        predicted = np.where(np.eye(2)[y] > 0, true[:, None], 1 - true[:, None])
        made: Any = SimpleNamespace(history=[], changes=[], notes=[], ended="epochs", prior_factor=None)
        losses = self.search.criterion.rows(predicted)
        one = Candidate(entry.name, Team(entry.recipe, [made], []), predicted, losses, self.seconds, 0.0)
        one.settings = dict(entry.settings)
        return one


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
    searched = [one for one in made.search.race.finished if one.settings]
    best = min(searched, key=lambda one: one.loss)
    assert [one.name for one in searched if one.team.trained] == [best.name]
    assert made.leader.team.trained
    # It is surely better than its leader, and so may ship.
    assert [one.name for one in made.search._standing()] == ["mlp", best.name]


def test_the_best_of_many_needs_to_be_surely_better(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch)
    one = made.candidate(Entry("mlp, searched #1", made.leader.team.recipe, settings={"loss": "x"}), 1.001, others=True)
    made.search.race.finished.append(one)
    assert one.loss < made.leader.loss
    monkeypatch.setattr(made.log, "proposed", lambda: 8)
    assert [one.name for one in made.search._standing()] == ["mlp"]


def test_few_trials_are_no_search(without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, monkeypatch, seconds=1.01 * SEARCH_SHARE * BUDGET / FEWEST_TRIALS)
    assert made.around() == 0
    assert made.entries == []


def test_of_a_hold_out_the_best_short_courses_go_on(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    made.around()
    bracket = BRACKET + WHOLE
    assert len(made.entries) % bracket == 0
    assert len(made.entries) // bracket == int((made.until - 5000) / (made.seconds * (BRACKET * SHORT + WHOLE)))
    for start in range(0, len(made.entries), bracket):
        short, whole = made.entries[start : start + BRACKET], made.entries[start + BRACKET : start + bracket]
        assert all(entry.partial for entry in short)
        assert not any(entry.partial for entry in whole)
        best = sorted(short, key=lambda entry: -float(entry.recipe.network.dropout))[:WHOLE]
        assert [entry.name for entry in whole] == [entry.name for entry in best]
        for one, other in zip(best, whole, strict=True):
            assert one.recipe.epochs == pytest.approx(SHORT * (other.recipe.epochs or DEFAULT_EPOCHS))
            assert one.recipe.updated(epochs=None) == other.recipe.updated(epochs=None)
            assert one.settings == other.settings
    # Short courses are no candidates.
    assert len([one for one in made.search.race.finished if one.settings]) == len(made.entries) * WHOLE // bracket


@pytest.mark.parametrize(
    ("passes", "expected"),
    [(0.5, 1.0), (ENOUGH_PASSES, 1.0), (2 * ENOUGH_PASSES, 1 / 2), (50 * ENOUGH_PASSES, 1 / MOST_SEEDS)],
)
def test_a_recipe_alone_leaves_time_for_other_seeds_where_each_sees_its_rows_often(
    passes: float, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    rows = len(made.search.ground.parts(0)[0][0])

    def laid(recipe: Recipe, train: Any, fit: np.ndarray, judging: Any, fold: int, device: str) -> Any:
        steps = round(passes * len(fit) / recipe.batch_size)
        return SimpleNamespace(lay_out=lambda deadline, networks: recipe.updated(steps=steps))

    monkeypatch.setattr(searching, "bench_of", laid)
    assert rows == len(made.search.ground.splits.train) - 64
    assert made.search._share_of_main(made.search.base) == pytest.approx(expected)
    made.search.single = True
    assert made.search._share_of_main(made.search.base) == 1.0


def test_parts_of_a_cross_fitting_are_repeated_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path, monkeypatch)
    assert made.search._share_of_main(made.search.base) == 1.0


@pytest.mark.parametrize(
    ("spent", "skipped", "said"),
    [
        (0.5, False, "what ships was trained under up to 5 seeds, and more are not expected to help"),
        (0.5, True, "one training more had not ended in time"),
        (0.9, False, None),
    ],
)
def test_an_early_end_has_a_reason(
    spent: float, skipped: bool, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Made(tmp_path, monkeypatch).search
    search.chosen = choose(
        families(search.race.finished, search.criterion), search.criterion, search.race.contest.judges
    )
    search.clock = SimpleNamespace(budget=BUDGET, elapsed=lambda: spent * BUDGET)  # type: ignore[assignment]
    search.skipped = skipped
    notes = [note for note in search.notes() if "ended before the budget" in note]
    assert notes == ([] if said is None else [f"The search ended before the budget: {said}."])


def test_what_would_ship_is_repeated_while_there_is_time(
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


@pytest.mark.parametrize("tried", [1, 2, 8, 20, 200])
def test_luck_is_what_the_best_of_equals_gains(tried: int) -> None:
    best = np.random.default_rng(0).normal(size=(4000, tried)).max(axis=1)
    assert luck(tried) == pytest.approx(float(best.mean()), abs=0.15)


def test_trees_are_searched_where_they_lead(
    without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, folds=0)
    forest = made.candidate(Entry("trees", trees(folds=0, holdout=0.4), is_reference=True), 2.0)
    forest.is_reference = True
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
    made.search.single = True
    assert made.search._leader().name == "mlp"


@pytest.mark.parametrize(
    ("seconds", "share"), [(1.0, 1 - REPEATS_TAKE * (MOST_REPEATS - 1) / BUDGET), (500.0, SEARCH_SHARE)]
)
def test_a_search_goes_on_where_repeats_need_little(
    seconds: float, share: float, without_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, monkeypatch, seconds=seconds)
    assert made.search._search_ends() == pytest.approx(5000 + share * BUDGET, abs=0.03 * BUDGET)
