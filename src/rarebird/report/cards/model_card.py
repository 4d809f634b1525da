"""The model card of a run: what the model predicts, how good it is for each class, and where its limits are.

After Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019). Everything in it is taken from the run's own
records; what the program cannot know, such as the purpose, is left to the owner of the model in marked lines.
"""

from __future__ import annotations

from collections.abc import Sequence

from rarebird.core.version import VERSION
from rarebird.evaluation.result import ClassScore, Result, Scores
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.report.cards.markdown import fenced, plain, sentences, table
from rarebird.report.terminal import FIRST, FIRST_VALUES
from rarebird.report.verdict import headline_of, scores_of, verdict
from rarebird.report.wording import TOO_FEW, better, estimate_of, interval_text, value_text, wording
from rarebird.slots.starting_weights import StartingWeights

KINDS = {"image": "pictures", "table": "rows of a table", "series": "time series"}
TO_STATE = "*To be stated by the owner:*"


def model_card(result: Result, recipe: AnyRecipe, started: Sequence[StartingWeights], fingerprint: str) -> str:
    """The card as Markdown.

    Args:
        result: The result of the run.
        recipe: The recorded recipe or ensemble.
        started: Where the initial weights of its networks come from, for each network that has such.
        fingerprint: Of the training rows.
    """
    scores = scores_of(result)
    parts = [
        f"# Model card: {plain(result.name)}",
        f"Written by rarebird {VERSION} from the records of the run. {TO_STATE} marks what the program cannot know.",
        "## Model",
        _facts(result, recipe, fingerprint),
        "## Intended use",
        _use(result),
        "## Figures",
        *([] if scores is None else _figures(result, scores)),
        "## Verdict and limits",
        _limits(result, scores),
        "## Licence",
        _licence(started),
        "## Recipe",
        "`rarebird fit DATA --recipe recipe.toml` trains the same model again from the same rows.",
        fenced(recipe.to_toml(), "toml"),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(result: Result, recipe: AnyRecipe, fingerprint: str) -> str:
    what = f"one of {len(result.classes)} classes" if result.classes else "a number"
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    rows = [
        ("predicts", what),
        ("for", KINDS[result.kind]),
        ("made of", made_of(recipe)),
        ("learned from", f"{result.n_train:,} rows, fingerprint {fingerprint}"),
        ("judged by", result.protocol),
        ("chosen for", result.metric),
        ("seed", recipe.seed),
        ("versions", versions),
    ]
    return table(["", ""], rows)


def made_of(recipe: AnyRecipe) -> str:
    """The networks and references of a model, as one enumeration."""
    if isinstance(recipe, Ensemble) and recipe.student is not None:
        taught = f"distilled from {len(recipe.members)} recipes"
        return f"one network ({recipe.student.network.name}), {taught}"
    found = ensemble.members(recipe)
    total = sum(weight for weight, _ in found)
    named = [(weight / total, (one.reference or one.network).name) for weight, one in found]
    if len(named) == 1:
        return f"{named[0][1]}, the mean over its folds" if found[0][1].folds else named[0][1]
    shares = ", ".join(f"{name} {100 * share:.0f} %" for share, name in sorted(named, reverse=True))
    return f"the mean of {len(named)} recipes: {shares}"


def _use(result: Result) -> str:
    lines = [
        "- For rows that come from where the training rows come from and were measured in the same way. No other rows "
        "were tried, unless the data card names them.",
    ]
    if result.classes:
        prior = _prior(result)
        lines += [
            f"- Probabilities hold where classes are as frequent as in the training rows{prior}. Elsewhere, "
            "`rarebird predict --prior` corrects them.",
            f"- The label serves {plain((result.decision.goal if result.decision else '') or result.metric)}; "
            "`rarebird decide` fits another decision without training.",
        ]
    return "\n".join([*lines, f"- {TO_STATE} the purpose, the users, and what the model must not be used for."])


def _prior(result: Result) -> str:
    total = sum(result.class_counts.values())
    shown = list(result.class_counts.items())[:10] if total else []
    return f" ({', '.join(f'{plain(label)} {100 * n / total:.3g} %' for label, n in shown)})" if shown else ""


def _figures(result: Result, scores: Scores) -> list[str]:
    judged = f"the {result.n_test:,} test rows" if result.test else "held-out training rows"
    headline = headline_of(result, scores)
    shown = dict.fromkeys([headline, *FIRST, *FIRST_VALUES])
    metrics = [
        (wording(name).title, value_text(figure), interval_text(figure), better(name))
        for name, figure in ((name, estimate_of(scores, name)) for name in shown)
        if figure is not None
    ]
    parts = [
        f"On {judged}, which the model did not learn from; brackets are 95 % intervals.",
        table(["figure", "value", "interval", "better"], metrics),
    ]
    if scores.per_class:
        head = ["class", "training rows", "rows here", "recall", "precision", "F1", "calibration error", "note"]
        parts.append(table(head, [_class_row(result, row) for row in scores.per_class]))
    return parts


def _class_row(result: Result, row: ClassScore) -> list[object]:
    figures = [
        f"{value_text(one)} {interval_text(one)}".strip()
        for one in (row.recall, row.precision, row.f1, row.calibration_error)
    ]
    note = row.note or (TOO_FEW if row.recall.value is None else "")
    return [row.label, result.class_counts.get(row.label, 0), row.support, *figures, note]


def _limits(result: Result, scores: Scores | None) -> str:
    said = [] if scores is None else list(result.verdict or verdict(result))
    lines = [sentences([*said, *result.notes])] if said or result.notes else []
    lines += [
        "- Figures are per class. Groups of people, sites or devices within a class were not judged apart.",
        f"- {TO_STATE} known failures, groups for which the model must be judged apart, and who is told of mistakes.",
    ]
    return "\n".join(lines)


def _licence(started: Sequence[StartingWeights]) -> str:
    lines = [f"- {plain(text)}" for text in dict.fromkeys(text for one in started for text in one.sentences())]
    own = "- All weights were learned from the rows of the data card; none come from elsewhere."
    return "\n".join([*(lines or [own]), f"- {TO_STATE} the licence of this model."])
