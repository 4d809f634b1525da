"""Commands that make a saved model smaller, or bring it elsewhere: `compress`, `merge` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import USUAL, app, shared_options
from rarebird.cli.terminal import Output
from rarebird.cli.use import ModelPath
from rarebird.core.checks import DataError, nearest
from rarebird.core.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.runs.request import Request


@app.command("compress")
@shared_options(
    data_option="The data of the model's training, read as then.",
    out="Folder for the model and compression.json (default: runs/NAME-DATE).",
    test="Test rows, if the training had them; otherwise the same rows as then are the test.",
    recipe="A recipe file of the network to distil to (default: that of the model's network with the largest weight).",
    settings="KEY=VALUE of that recipe, such as network.width=32 or synthesis.ratio=.5; repeatable.",
    pool="distill: rows without labels in the form of the data, which the model labels for the student.",
    keep_copies=USUAL,
    running=("threads", "as_json", "quiet"),
)
def compress(
    request: Request,
    output: Output,
    data: Path | None,
    model: ModelPath,
    steps: Annotated[str, typer.Option(help="Which of distill, prune and quantize.")] = "distill,prune,quantize",
    max_recall_drop: Annotated[float, typer.Option(help="How far the recall of any class may fall.")] = 0.02,
    share: Annotated[float, typer.Option(help="prune: share of the channels or weights that is removed.")] = 0.5,
    prune: Annotated[
        str, typer.Option(help="channels, which are really removed, or weights, which become 0.")
    ] = "channels",
    importance: Annotated[str, typer.Option(help="prune: which channels go, by taylor or magnitude.")] = "taylor",
    precision: Annotated[str, typer.Option(help="quantize: int8, or weights in float16 or bfloat16.")] = "int8",
    int8: Annotated[
        str,
        typer.Option(
            help="quantize: static, aware (after a quantization-aware training) or dynamic (default: dynamic for "
            "recurrent networks; else static, and aware where static does not keep the floor)."
        ),
    ] = "auto",
    balanced: Annotated[bool, typer.Option(help="distill: as many draws of each class.")] = True,
    temperature: Annotated[float, typer.Option(help="distill: softens the teachers' probabilities.")] = 1.0,
    hard_share: Annotated[float, typer.Option(help="distill: share of the label in a target.")] = 0.5,
    standardize: Annotated[
        bool, typer.Option("--standardize", help="distill: standardize logits (three classes or more).")
    ] = False,
    synthesis: Annotated[
        str | None,
        typer.Option(help="distill: a generator whose rows of rare classes the model labels, if its gate passes them."),
    ] = None,
    training_steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Optimizer steps of each training (default: by the recipe; a student: four times as many)."
        ),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Wall-clock time for everything (default: no limit).")] = None,
) -> None:
    """Make a model smaller and faster step by step. Each step is measured, class by class; the last one that keeps the
    recall of every class on held-out rows is the result."""
    from rarebird.compression.distillation import Teaching
    from rarebird.runs.compress import compress as compress_model
    from rarebird.runs.compress import settings_of

    _one_of("--prune", prune, ("channels", "weights"))
    _one_of("--importance", importance, ("taylor", "magnitude"))
    _one_of("--precision", precision, ("int8", "float16", "bfloat16"))
    _one_of("--int8", int8, ("auto", "static", "aware", "dynamic"))
    if data is None:
        raise DataError("compress needs the data of the model's training; give them with --data.")
    if not 0 <= hard_share <= 1 or not 1 <= temperature <= 100:
        raise DataError("--hard-share is in 0..1 and --temperature in 1..100.")
    clock = None if budget is None else Clock(seconds_of(budget), process_start())
    settings = settings_of(
        prune=prune,
        share=share,
        importance=importance,
        training_steps=training_steps,
        precision=precision,
        way=None if int8 == "auto" else int8,
        teaching=Teaching(hard_share, temperature, balanced, standardize),
        synthesis=synthesis,
    )
    names = [name.strip() for name in steps.split(",") if name.strip()]
    with output.progress_bar() as progress:
        found = compress_model(model, request, names, settings, max_recall_drop, clock, progress)
    output.show(found.for_machines, found.text)


def _one_of(option: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise DataError(f"There is no {option} {value!r}; {nearest(value, valid)}")


@app.command("merge")
@shared_options(
    data_option="Labelled rows that no network learned from: of split data the validation rows choose and the test "
    "rows report, otherwise one half of the rows each.",
    out="Folder for the model and merge.json (default: runs/NAME-DATE).",
    reading=("target", "kind", "pictures", "channels_last"),
    running=("as_json", "quiet"),
)
def merge(
    request: Request,
    output: Output,
    data: Path | None,
    models: Annotated[list[Path], typer.Argument(help="Folders of models (or runs) that share a start.")],
    way: Annotated[
        str, typer.Option(help="uniform, greedy or ties; auto: the one with the smallest loss on the rows that choose.")
    ] = "auto",
) -> None:
    """Merge the networks of models that share a start into one, by their weights. What cannot be merged is refused."""
    from rarebird.runs.merge import merge as merge_models

    if data is None:
        raise DataError("merge needs labelled rows that no network learned from; give them with --data.")
    with output.progress_bar() as progress:
        found = merge_models(models, request, way, progress)
    output.show(found.for_machines, found.text)


@app.command("export")
@shared_options(
    reading=("pictures", "channels_last"),
    running=("as_json",),
    data_option="Rows on which file and model are compared, 1000 of them; of split data the test rows.",
)
def export(
    request: Request,
    output: Output,
    data: Path | None,
    model: ModelPath,
    file_format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The file to write (default: model.onnx).")] = None,
    layout: Annotated[str, typer.Option(help="Axes of pictures: nchw or nhwc.")] = "nchw",
) -> None:
    """Write a model as one ONNX file that takes raw rows, and gives probabilities under the natural prior and the
    decided class; its description (JSON) and a loader of a few lines are written beside it."""
    from rarebird.runs.export import export as export_model

    found = export_model(model, out, data, file_format, layout, request.read)
    output.show(found.for_machines, found.text)
