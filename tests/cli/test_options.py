"""The commands' options: nothing is lost, and an option that several commands share is the same in each."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import typer

from rarebird.cli.commands import COMMANDS
from rarebird.cli.options import READING, RUNNING, SHARED, USUAL, After, app, shared_options
from rarebird.cli.terminal import Output
from rarebird.runs.request import Request

ROWS = "--target --kind --task --groups --groups-pattern --weight --time --gap --pictures --channels-last --on-disk"
RUN = "--device --threads --json --quiet --lang"
# The options of each command in the order of its help. A change here changes what users type.
OPTIONS = {
    "fit": "data --out --test --recipe --set --metric --references --prior --cost-column --single --budget --resume "
    "--workers --cluster --devices --price-per-hour --watts --log-json --track --track-to --steps --positive --seed "
    f"--keep-copies --external --label-map --unlabeled --no-rows --force {ROWS} {RUN}",
    "preview": f"data --out --test --recipe --set --rows --views --seed --force {ROWS} --lang",
    "learning-rate": "data --out --test --recipe --set --steps --seed --keep-copies --force "
    f"{ROWS} --device --json --quiet --lang",
    "tune": "data --out --test --recipe --set --strategy --trials --budget --startup --folds --metric --pruner "
    "--workers --cluster --storage --resume --log-json --track --track-to --positive --seed --keep-copies --external "
    f"--label-map --unlabeled --no-rows --force {ROWS} {RUN}",
    "compare": "data --out --remedies --test --recipe --set --folds --repeats --budget --steps --metric --positive "
    f"--seed --keep-copies --external --label-map --unlabeled --force {ROWS} {RUN}",
    "regularization-path": "data --penalty --low --high --points --out --test --recipe --set --folds --repeats "
    f"--budget --steps --metric --positive --seed --keep-copies --force {ROWS} {RUN}",
    "label-issues": f"data --out --test --recipe --set --budget --steps --metric --seed --force {ROWS} {RUN}",
    "next": f"--unlabeled data --n --budget --out --test --recipe --set --steps --metric --seed --force {ROWS} {RUN}",
    "synthesize": f"--class data --rows --method --out --generator --budget --set --seed --force {ROWS} {RUN}",
    "predict": "model data --out --keep --raw --coverage --prior --kind --pictures --channels-last --on-disk --device "
    "--threads --json --lang",
    "evaluate": "model data --out --raw --coverage --target --kind --groups --groups-pattern --weight --pictures "
    "--channels-last --on-disk --device --threads --json --lang",
    "explain": "model data --out --n --class --method --output --background --background-rows --all --budget --force "
    "--target --kind --pictures --channels-last --device --threads --json --quiet --lang",
    "decide": "run --decision --set --metric --json --lang",
    "report": "run --no-rows --json --lang",
    "compare-runs": "runs --out --force --json --lang",
    "compress": "model --data --out --test --recipe --set --steps --max-recall-drop --share --prune --importance "
    "--precision --int8 --balanced --temperature --hard-share --standardize --synthesis --training-steps --budget "
    "--unlabeled --keep-copies --force "
    f"{ROWS} --threads --json --quiet --lang",
    "merge": "models --data --out --way --force --target --kind --pictures --channels-last --json --quiet --lang",
    "export": "model --data --format --out --layout --pictures --channels-last --json --lang",
    "profile": f"data --test {ROWS} --json --lang",
    "list": "slot --kind --json --lang",
    "demo": "--out --budget --lang",
}
# Options whose help a command words itself, since they do something special there.
OWN_HELP = {
    "fit": {"out", "test", "recipe", "settings", "steps", "metric"},
    "preview": {"out", "test", "settings"},
    "learning-rate": {"out", "settings"},
    "tune": {"out", "test", "recipe", "settings", "metric", "seed"},
    "next": {"out", "test", "settings", "metric"},
    "compare": {"out", "recipe", "settings", "metric", "seed"},
    "regularization-path": {"out", "settings", "metric", "seed"},
    "label-issues": {"out", "test", "settings", "metric"},
    "synthesize": {"settings", "seed", "force"},
    "explain": {"out"},
    "decide": {"settings", "metric"},
    "compare-runs": {"force"},
    "compress": {"out", "test", "recipe", "settings", "pool"},
    "merge": {"out"},
    "profile": {"test"},
}
OWN_DEFAULT = {("tune", "seed"): 0, ("compare", "seed"): 0}
# Options of a command's own that only share their name: --out of `predict`, `evaluate`, `export` and `synthesize` is a
# file, --steps of `learning-rate` is never without a value, and some commands have --data in place of DATA.
OTHER_MEANING = {
    ("predict", "out"),
    ("evaluate", "out"),
    ("learning-rate", "steps"),
    ("demo", "out"),
    ("synthesize", "out"),
    ("export", "out"),
    ("compare-runs", "out"),
}
OTHER_MEANING |= {
    ("compress", "steps"),
    *((command, "data") for command in ("compress", "merge", "export")),
}
OWN_DEFAULTS = {
    "fit": {
        "references": True,
        "prior": None,
        "cost_column": None,
        "single": False,
        "budget": "5m",
        "resume": False,
        "workers": 1,
        "cluster": None,
        "devices": None,
        "price_per_hour": None,
        "watts": None,
        "log_json": None,
        "track": None,
        "track_to": None,
    },
    "preview": {"rows": 8, "views": 4},
    "learning-rate": {"steps": 200},
    "tune": {
        "strategy": "auto",
        "trials": None,
        "budget": None,
        "startup": 10,
        "folds": None,
        "pruner": "none",
        "workers": 1,
        "cluster": None,
        "storage": None,
        "resume": False,
        "log_json": None,
        "track": None,
        "track_to": None,
    },
    "compare": {"remedies": "all", "folds": 5, "repeats": 3, "budget": "10m"},
    "regularization-path": {
        "penalty": "l2",
        "low": None,
        "high": None,
        "points": 9,
        "folds": 5,
        "repeats": 1,
        "budget": "10m",
    },
    "label-issues": {"budget": "5m"},
    "next": {"unlabeled": inspect.Parameter.empty, "rows": 50, "budget": "5m"},
    "synthesize": {
        "label": inspect.Parameter.empty,
        "rows": 100,
        "method": "auto",
        "out": None,
        "generator": None,
        "budget": "2m",
    },
    "predict": {
        "model": inspect.Parameter.empty,
        "out": None,
        "keep": None,
        "raw": False,
        "coverage": None,
        "prior": None,
    },
    "evaluate": {"model": inspect.Parameter.empty, "out": None, "raw": False, "coverage": None},
    "explain": {
        "model": inspect.Parameter.empty,
        "rows": 2,
        "label": None,
        "method": "auto",
        "of": "log_odds",
        "background": None,
        "background_rows": 8,
        "every_row": False,
        "budget": None,
    },
    "decide": {"run": inspect.Parameter.empty, "decision": None},
    "report": {"run": inspect.Parameter.empty},
    "compare-runs": {"runs": inspect.Parameter.empty, "out": Path("compare_runs.html")},
    "compress": {
        "data": None,
        "steps": "distill,prune,quantize",
        "max_recall_drop": 0.02,
        "share": 0.5,
        "prune": "channels",
        "importance": "taylor",
        "precision": "int8",
        "int8": "auto",
        "balanced": True,
        "temperature": 1.0,
        "hard_share": 0.5,
        "standardize": False,
        "synthesis": None,
        "training_steps": None,
        "budget": None,
        "model": inspect.Parameter.empty,
    },
    "merge": {"data": None, "models": inspect.Parameter.empty, "way": "auto"},
    "export": {
        "data": None,
        "model": inspect.Parameter.empty,
        "file_format": "onnx",
        "out": None,
        "layout": "nchw",
    },
    "profile": {},
    "list": {"slot": None},
    "demo": {"out": Path("runs/demo"), "budget": "25s"},
}


def parameters(command: str) -> dict[str, inspect.Parameter]:
    """What typer reads of a command."""
    (found,) = (one for one in app.registered_commands if one.name == command)
    assert found.callback is not None
    return dict(inspect.signature(found.callback, eval_str=True).parameters)


def described(annotation: Any) -> tuple[object, Any]:
    """Type, and typer's description of an option or argument."""
    of, *marks = get_args(annotation)
    (option,) = (mark for mark in marks if hasattr(mark, "help"))
    return of, option


def spelled(name: str, parameter: inspect.Parameter) -> str:
    """How a user types it."""
    _, option = described(parameter.annotation)
    if not isinstance(option, type(typer.Option())):
        return name
    # In an annotation, typer keeps the first spelling where a default would be.
    given = option.default if isinstance(option.default, str) else None
    return given or f"--{name.replace('_', '-')}"


def test_the_commands_are_all_there_in_their_order() -> None:
    assert [command.name for command in app.registered_commands] == list(COMMANDS) == list(OPTIONS)


@pytest.mark.parametrize("command", OPTIONS)
def test_no_option_is_lost_or_moved(command: str) -> None:
    assert [spelled(*one) for one in parameters(command).items()] == OPTIONS[command].split()


@pytest.mark.parametrize("command", OPTIONS)
def test_a_shared_option_is_the_same_in_every_command(command: str) -> None:
    shared = {
        name: parameter
        for name, parameter in parameters(command).items()
        if name in SHARED and (command, name) not in OTHER_MEANING
    }
    assert shared or command == "demo"
    for name, parameter in shared.items():
        annotation, default = SHARED[name]
        (of, usual), (own_of, own) = described(annotation), described(parameter.annotation)
        assert own_of == of
        assert parameter.default == OWN_DEFAULT.get((command, name), default)
        assert (own.default, own.min, own.max) == (usual.default, usual.min, usual.max)
        if name in OWN_HELP.get(command, ()):
            assert own.help not in (USUAL, usual.help), (
                f"{command}: {name} has its usual help; leave it out of OWN_HELP"
            )
        else:
            assert own.help == usual.help


@pytest.mark.parametrize("command", OPTIONS)
def test_a_commands_own_options_keep_their_defaults(command: str) -> None:
    own = {
        name: parameter.default
        for name, parameter in parameters(command).items()
        if name not in SHARED or (command, name) in OTHER_MEANING
    }
    assert own == OWN_DEFAULTS[command]


@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_and_option_has_a_help_text(command: str) -> None:
    (found,) = (one for one in app.registered_commands if one.name == command)
    assert found.callback is not None
    assert found.callback.__doc__
    for parameter in parameters(command).values():
        assert described(parameter.annotation)[1].help


def asked(**given: object) -> dict[str, Any]:
    """What a command with all shared options gets for options as a user gave them; the others have their defaults."""
    got: dict[str, Any] = {}

    @shared_options(**{name: USUAL for name in SHARED if name not in ("data", *READING, *RUNNING)})
    def command(request: Request, output: Output, out: Path | None, more: int = 3) -> None:
        got.update(request=request, output=output, out=out, more=more)

    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    command(**(defaults | {"data": Path("rows.csv")} | given))
    return got


def test_a_command_gets_a_request_made_of_the_shared_options() -> None:
    got = asked(
        out=Path("run"), settings=["folds=3"], seed=2, steps=7, kind="table", groups="site", device="cpu", more=1
    )
    request = got["request"]
    assert (request.data, request.out, request.settings) == (Path("rows.csv"), Path("run"), ("folds=3",))
    assert (request.seed, request.steps, request.device, request.threads) == (2, 7, "cpu", None)
    assert (request.read.kind, request.read.groups, request.read.target) == ("table", "site", None)
    assert (got["out"], got["more"]) == (Path("run"), 1)


def test_without_out_the_request_has_a_folder_of_its_own_and_the_command_sees_what_was_typed() -> None:
    got = asked()
    assert got["out"] is None
    assert got["request"].out.parent == Path("runs")
    assert got["request"].out.name.startswith("rows-")
    assert got["request"] == Request(Path("rows.csv"), got["request"].out, out_is_default=True)
    assert not asked(out=Path("run"))["request"].out_is_default


def test_the_output_knows_json_and_quiet() -> None:
    assert asked()["output"] == Output(as_json=False, quiet=False)
    assert asked(as_json=True, quiet=True)["output"] == Output(as_json=True, quiet=True)


def test_own_options_stand_behind_the_data_options_or_where_they_are_asked_to() -> None:
    @shared_options(out=USUAL, seed=USUAL, reading=(), running=("device",))
    def command(
        request: Request,
        model: Annotated[Path, typer.Argument(help="A model.")],
        first: Annotated[int, typer.Option(help="One.")] = 1,
        last: Annotated[int, typer.Option(help="Two."), After("seed")] = 2,
        after_last: Annotated[int, typer.Option(help="Three.")] = 3,
    ) -> None:
        pass

    order = ["model", "data", "out", "first", "seed", "last", "after_last", "force", "device", "lang"]
    assert list(inspect.signature(command).parameters) == order


def test_an_unknown_shared_option_is_refused_when_the_command_is_defined() -> None:
    with pytest.raises(KeyError, match="sed"):
        shared_options(sed=USUAL)


@pytest.mark.parametrize(("as_json", "printed"), [(True, '{"a": "é"}\n'), (False, "text\n")])
def test_the_output_makes_only_what_it_prints(as_json: bool, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    made: list[str] = []

    def values() -> dict[str, str]:
        made.append("values")
        return {"a": "é"}

    def text() -> str:
        made.append("text")
        return "text"

    Output(as_json=as_json).show(values, text)
    assert capsys.readouterr().out == printed
    assert made == ["values" if as_json else "text"]
