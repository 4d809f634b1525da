"""Unknown commands, options and names get one sentence with what was probably meant; `--version` and `list metric`."""

from __future__ import annotations

import json

import pytest

import rarebird as rb
from rarebird.metrics import names
from tests.command_line import rarebird


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("fit", "x", "--label", "y"), "`rarebird fit` has no option --label; did you mean --target?"),
        (("fit", "x", "--bugdet", "1m"), "did you mean --budget?"),
        (("fit", "x", "--lr", "1"), "did you mean --set optimizer.learning_rate=VALUE?"),
        (("fit", "x", "--epochs", "1"), "did you mean --set epochs=VALUE?"),
        (("fit", "x", "--focal"), "did you mean --set loss=focal?"),
        (("fit", "x", "--alpha", "1"), "no option --alpha; `rarebird fit --help` lists the options."),
        (("predict", "x", "y", "--lr", "1"), "no option --lr; `rarebird predict --help` lists the options."),
        (("train", "x"), "There is no command 'train'; did you mean `rarebird fit`?"),
        (("evalute", "x"), "did you mean `rarebird evaluate`?"),
        (("qqq",), "There is no command 'qqq'; there are fit, "),
        # As bash makes of --set network={name=mlp,width=8}, and of a path with a blank.
        (("fit", "x", "--set", "network=name=mlp", "network=width=8"), "'network=width=8'; put a setting with braces"),
        (("fit", "my", "data.csv"), "`rarebird fit` has no use for 'data.csv'; put a path with blanks into quotes."),
    ],
)
def test_an_unknown_option_or_command(
    typed: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, *typed)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1


def test_other_usage_errors_are_as_before(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = rarebird(capsys, monkeypatch, "fit")
    assert done.code == 2
    assert "Missing argument" in done.err


def test_the_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = rarebird(capsys, monkeypatch, "--version")
    assert (done.code, done.out.strip()) == (0, f"rarebird {rb.__version__}")


@pytest.mark.parametrize("word", ["metric", "metrics"])
def test_the_metrics_are_listed(word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = rarebird(capsys, monkeypatch, "list", word).out
    listed = json.loads(rarebird(capsys, monkeypatch, "list", word, "--json").out)
    assert [one["name"] for one in listed] == list(names.METRICS)
    assert all(one["line"] and one["name"] in text for one in listed)
    assert {one["better"] for one in listed} == {"higher", "lower"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("pr_auc", "average_precision"), ("AUC", "roc_auc"), ("mcc", "matthews_corrcoef"), ("rmse", "root_mean_squared")],
)
def test_metrics_under_other_names(name: str, meant: str) -> None:
    with pytest.raises(rb.DataError, match=f"did you mean '{meant}"):
        names.metric(name)


def test_every_other_name_of_a_metric_is_one_of_a_metric() -> None:
    assert set(names.OTHER_NAMES.values()) <= set(names.METRICS)
    assert not set(names.OTHER_NAMES) & set(names.METRICS)
