"""Commands that use a saved model: `predict`, `evaluate` and `explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import app, shared_options
from rarebird.cli.terminal import Output, print_json, say

if TYPE_CHECKING:
    from rarebird.runs.request import Request

Raw = Annotated[
    bool,
    typer.Option(
        "--raw",
        help="Write texts as they are. Without it, an apostrophe comes before a text that a spreadsheet would take for "
        "a formula, and control characters are written out, such as \\x1b.",
    ),
]
Coverage = Annotated[
    float | None,
    typer.Option(
        help="Promised coverage, such as 0.9: a set of classes that holds the true one of each class as often, or an "
        "interval."
    ),
]
ModelPath = Annotated[Path, typer.Argument(help="Folder of a model, or of the run that holds it.")]


@app.command("predict")
@shared_options(reading=("kind", "pictures", "channels_last", "on_disk"), running=("device", "threads", "as_json"))
def predict(
    request: Request,
    output: Output,
    model: ModelPath,
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: print).")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Columns of DATA to show beside the predictions, such as id,visit (default: those that identify rows)."
        ),
    ] = None,
    raw: Raw = False,
    coverage: Coverage = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            help="CLASS=SHARE, a class's frequency among these rows, if the training rows have another; repeatable. Or "
            "estimate: from the rows themselves."
        ),
    ] = None,
) -> None:
    """Write the label, the most probable class and the probability per class of each row, and its truth where the data
    have it, as CSV; only of the test rows if the data come split. The label serves the metric of `fit`: for two
    classes, the probability from which on a row gets the positive label is printed on standard error. A file that
    cannot be read has an empty label and a reason."""
    from rarebird.model.conformal import check_coverage
    from rarebird.runs import input_columns
    from rarebird.runs import predict as prediction
    from rarebird.runs.prior import under_asked_prior
    from rarebird.runs.row_tables import write_table

    if out is not None:
        prediction.check_writable(out)
    if coverage is not None:
        check_coverage(coverage)
    loaded = prediction.load(model, request.device, request.threads)
    data, options = request.data, request.read
    rows = prediction.read(loaded, data, options.kind, labelled=False, options=options)
    if prior:
        loaded, sentences = under_asked_prior(loaded, prior, rows.data)
        for sentence in sentences:
            say(sentence)
    names = None if keep is None else [name.strip() for name in keep.split(",") if name.strip()]
    table = prediction.prediction_table(
        loaded,
        rows,
        input_columns.truths(loaded, data, rows, options),
        input_columns.kept_columns(loaded, data, rows, names, options),
        coverage,
    )
    for note in prediction.notes_on(rows):
        say(f"Note: {note}")
    if rule := prediction.label_rule(loaded):
        say(rule)
    if out is not None:
        prediction.write(table, out, raw)
    if output.as_json:
        print_json(prediction.for_machines(loaded, rows, table, out))
    elif out is None:
        write_table(table, sys.stdout, raw)


@app.command("evaluate")
@shared_options(
    reading=("target", "kind", "groups", "groups_pattern", "weight", "pictures", "channels_last", "on_disk"),
    running=("device", "threads", "as_json"),
)
def evaluate(
    request: Request,
    output: Output,
    model: ModelPath,
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write: truth, label and probabilities of each row.")
    ] = None,
    raw: Raw = False,
    coverage: Coverage = None,
) -> None:
    """Score a model on labelled rows, with intervals; only on the test rows if the data come split."""
    from dataclasses import replace

    from rarebird.evaluation.coverage_scores import COVERAGE
    from rarebird.report.coverage_text import coverage_sentences
    from rarebird.report.decision_text import decision_sentences
    from rarebird.report.terminal import score_table
    from rarebird.runs import learned_rows
    from rarebird.runs import predict as prediction

    if out is not None:
        prediction.check_writable(out)
    loaded = prediction.load(model, request.device, request.threads)
    options = replace(request.read, role="test rows")
    rows = prediction.read(loaded, request.data, request.read.kind, labelled=True, options=options)
    rows = replace(rows, notes=(*rows.notes, *learned_rows.note(model, loaded, rows.data)))
    found = prediction.evaluate(loaded, rows, COVERAGE if coverage is None else coverage)
    for note in prediction.notes_on(rows):
        say(f"Note: {note}")
    if out is not None:
        prediction.write_rows(found, out, raw)
    decided = [*decision_sentences(found.scores.decision, "rows"), *coverage_sentences(found.scores, "rows")]
    output.show(
        found.for_machines,
        lambda: "\n".join(filter(None, [score_table(found.scores), prediction.label_rule(loaded), *decided])),
    )


@app.command("explain")
@shared_options(
    out="Folder for explain.html, explanations.csv and explanations.npz (default: runs/NAME-DATE).",
    reading=("target", "kind", "pictures", "channels_last"),
)
def explain(
    request: Request,
    output: Output,
    model: ModelPath,
    rows: Annotated[
        int, typer.Option("--n", "-n", min=1, help="Rows of each kind (typical, hardest, wrongly named) of each class.")
    ] = 2,
    label: Annotated[
        str | None, typer.Option("--class", help="The only class to explain (default: all, the rarest first).")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="integrated_gradients, grad_cam, tree_shap, shapley or attention (default: what suits the model)."
        ),
    ] = "auto",
    of: Annotated[
        str, typer.Option("--output", help="log_odds or probability of the class, whose amounts are shown.")
    ] = "log_odds",
    background: Annotated[
        Path | None,
        typer.Option(
            help="Rows to compare with (default: the training rows of data that come split, otherwise the rows "
            "themselves)."
        ),
    ] = None,
    background_rows: Annotated[int, typer.Option(min=1, help="How many of them.")] = 8,
    every_row: Annotated[bool, typer.Option("--all", help="Also explain every row, into the files.")] = False,
    budget: Annotated[
        str | None, typer.Option(help="Time for the rows on the page, such as 60s (default: no limit).")
    ] = None,
) -> None:
    """Show what in a row speaks for a class and what against it, as the model sees it: pixels, steps of a series,
    columns of a table; of a table also which columns matter. Explained is the probability that the model ships."""
    from rarebird.core.clock import seconds_of
    from rarebird.explanation.explain import Effort
    from rarebird.runs.explain import Settings
    from rarebird.runs.explain import explain as explain_rows

    settings = Settings(
        n=rows,
        label=label,
        method=method,
        output=of,
        background=background,
        every_row=every_row,
        effort=Effort(background=background_rows),
        budget=None if budget is None else seconds_of(budget),
    )
    with output.progress_bar() as progress:
        found = explain_rows(model, request, settings, progress)
    output.show(found.for_machines, found.text)
