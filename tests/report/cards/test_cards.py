"""The model card and the data card say what a run's records say, whatever classes and columns are called."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.profile.profile import profile
from rarebird.recipe.ensemble import Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.report.cards.data_card import data_card
from rarebird.report.cards.markdown import fenced, plain, table
from rarebird.report.cards.model_card import made_of, model_card
from rarebird.report.wording import interval_text, value_text
from rarebird.slots.starting_weights import StartingWeights

LABELS = ("common", "<b>rare|`x`</b>\n# title")


def rows(n: int = 90) -> Dataset:
    rng = np.random.default_rng(0)
    y = (np.arange(n) % 5 == 0).astype(int)
    frame = pd.DataFrame({"a": rng.normal(2.0 * y), "b|c": np.where(rng.random(n) < 0.3, np.nan, 1.5)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, LABELS, np.arange(n).astype(str), name="d")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return run(Recipe(kind="table", network="linear", steps=4, folds=2), Splits(rows()))


def cells(text: str, first: str) -> list[str]:
    """The cells of the row of a table that begins with `first`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_figures_of_each_class_are_those_of_the_result(outcome: Outcome) -> None:
    text = model_card(outcome.result, outcome.recipe, (), "abc")
    assert outcome.result.test is not None
    for row in outcome.result.test.per_class:
        found = cells(text, plain(row.label))
        assert found[1:3] == [str(outcome.result.class_counts[row.label]), str(row.support)]
        assert found[3] == plain(f"{value_text(row.recall)} {interval_text(row.recall)}")
        assert found[4] == plain(f"{value_text(row.precision)} {interval_text(row.precision)}")
    for heading in ("Model", "Intended use", "Figures", "Verdict and limits", "Licence", "Recipe"):
        assert f"\n## {heading}\n" in text
    assert "abc" in cells(text, "learned from")[1]
    assert outcome.recipe.to_toml().strip() in text
    assert all(f"- {plain(sentence)}" in text for sentence in outcome.result.verdict)
    assert text.count("To be stated by the owner") >= 4


def test_the_data_card_has_the_counts_of_the_profile_and_no_row(outcome: Outcome) -> None:
    data = rows()
    text = data_card(profile(data), outcome.result, "abc")
    assert cells(text, "common")[1] == "72"
    assert cells(text, plain(LABELS[1]))[1] == "18"
    share = data.source.frame["b|c"].isna().mean()  # type: ignore[union-attr]
    assert plain(f"b|c {100 * share:.3g} %") in cells(text, "missing cells")[1]
    first = float(data.source.frame["a"].iloc[0])  # type: ignore[union-attr]
    assert not re.search(rf"{first:.3f}".replace(".", r"\."), text)


def test_names_are_text_and_no_markup(outcome: Outcome) -> None:
    both = model_card(outcome.result, outcome.recipe, (), "abc") + data_card(profile(rows()), outcome.result, "abc")
    assert "<b>" not in re.sub(r"```.*?```", "", both, flags=re.DOTALL)
    assert not re.search(r"^# title", both, flags=re.MULTILINE)
    assert plain("a\n| [x](y) <i> \x1b[0m") == r"a \| [x]\(y) &lt;i> \\x1b[0m"
    assert plain("max_depth __x__ [0.1] &lt; a & b ~~c~~") == r"max_depth \_\_x\_\_ [0.1] &amp;lt; a & b \~\~c\~\~"
    assert table(["a"], [["x|y"]]).splitlines()[-1] == r"| x\|y |"
    assert fenced("a ```` b", "toml").startswith("`````toml\n")


@pytest.mark.parametrize(
    "name", ["<script>", "[a](b)", "![a](b)", "*a* _b_ __c__", "`c`", "&lt;x", "a_b_c", "1. y", "# t"]
)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    markdown = pytest.importorskip("markdown")
    assert unescape(markdown.markdown(f"x {plain(name)}")) == f"<p>x {name}</p>"


def test_the_licence_of_weights_from_elsewhere_is_named(outcome: Outcome) -> None:
    told = StartingWeights(source="weights.safetensors", loaded=("a", "b"), license="cc-by-nc-4.0")
    text = model_card(outcome.result, outcome.recipe, (told, told), "abc")
    licence = text.partition("## Licence")[2].partition("## Recipe")[0]
    assert licence.count("forbids commercial use") == 1
    assert "none come from elsewhere" not in licence
    assert "none come from elsewhere" in model_card(outcome.result, outcome.recipe, (), "abc")


def test_what_a_model_is_made_of() -> None:
    network = Recipe(kind="table", network="mlp", folds=5)
    trees = Recipe(kind="table", network="mlp", reference="boosted_trees", folds=5)
    assert made_of(network) == "mlp, the mean over its folds"
    both = Ensemble.of([(3.0, trees), (1.0, network)])
    assert made_of(both) == "the mean of 2 recipes: boosted_trees 75 %, mlp 25 %"
    assert made_of(both.model_copy(update={"student": network})) == "one network (mlp), distilled from 2 recipes"
