"""Every command that the README and `docs/` show runs, on small data and with short trainings: each block of commands,
and each row of the README's table. The pages for newcomers run from top to bottom, on the data that they make."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.cli.commands import COMMANDS
from tests.command_line import rarebird

pytestmark = pytest.mark.xdist_group("documents")
ROOT = Path(__file__).resolve().parents[1]
# Each makes its data and is run as a whole.
START = sorted((ROOT / "docs" / "start").glob("*.md"))
# In other languages, with the same blocks.
TRANSLATED = sorted((ROOT / "docs" / "zh" / "start").glob("*.md"))
OTHERS = set((ROOT / "docs").rglob("*.md")) - {*START, *TRANSLATED}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(OTHERS), ROOT / "README.zh-CN.md"]
# Programs of others, and what other tests run: a line that begins so is not run here.
NOT_HERE = {
    "make": "tests/test_documents.py finds its targets; `make demo` and `make test` would build an environment",
    "ray": "tests/executors/test_ray_cluster.py starts a cluster",
    "python benchmarks/": "takes long; tests/test_documents.py finds what it imports",
    "python -m pytest": "tests/contracts/test_tutorial.py runs it",
    "pip": "needs an index of packages",
}
# What a line has that is not run here, and why.
NOT_WITH = {
    "remedies poly": "tests/contracts/test_tutorial.py runs it with the method of that page",
    "--workers": "tests/tuning/test_command.py and tests/automl/test_race_elsewhere.py start processes",
    "tune labeled.csv --unlabeled": "tests/cli/test_unlabeled_rows.py ends early what it learns without labels",
    "--devices": "tests/runs/test_on_devices.py starts two processes",
    "--track mlflow": "tests/tracking opens its store",
    "--cluster": "tests/executors/test_ray_cluster.py starts a cluster",
    "transfer.file=": "tests/methods/transfer makes small weights; those of the documents are not here",
    "reference.file=": "tests/methods/reference makes a small checkpoint; that of the documents is not here",
}
# Options of a command that make it short; one that the command has already is replaced.
SHORT = {
    "fit": {"--steps": "4"},
    "tune": {"--trials": "2", "--folds": "2", "--set": "steps=4"},
    "compare": {"--steps": "3", "--remedies": "focal", "--folds": "2", "--repeats": "1"},
    "label-issues": {"--steps": "4", "--set": "folds=2"},
    "regularization-path": {"--steps": "4", "--points": "2", "--folds": "2", "--high": "1e-3"},
    "learning-rate": {"--steps": "20"},
    "next": {"--steps": "4", "--n": "5", "--set": "folds=2"},
    "synthesize": {"--rows": "8", "--budget": "10m", "--method": "mixture"},
    "demo": {"--budget": "4s"},
    "compress": {"--training-steps": "2", "--set": "network.width=4", "--out": "smaller"},
    "export": {"--out": "model.onnx"},
    "explain": {"--out": "explained", "--n": "1"},
}
# Names of the same rows.
LABELED = ("patients.csv", "own.csv", "labeled.csv")
# What a `fit` of the documents has that is a search, a short one: the others train one recipe for a few steps.
SEARCHES = ("--budget", "--single", "--resume")


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of each line in a block of commands, and of each code in the first column of a table."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [body for language, body in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL)]
        for body in blocks:
            for line in body.replace("\\\n", " ").splitlines():
                for part in re.sub(r"\s{2,}#.*", "", line).split(" && "):
                    if re.match(r"(rarebird|make|ray|pip|python) ", part.strip()):
                        yield page.name, part.strip()
        for cell in re.findall(r"^\| (`rarebird .*?) \|", text, flags=re.MULTILINE):
            first, *others = re.findall(r"`([^`]+)`", cell)
            yield page.name, first
            # "`rarebird tune DATA --workers 4` or `--cluster auto`": another ending of the same command.
            yield from ((page.name, f"{first.split(' --')[0]} {other}") for other in others)


# A command that several pages show runs once, as that of the first.
FIRST: dict[str, str] = {}
for page, text in commands():
    FIRST.setdefault(text, page)
ALL = [(page, text) for text, page in FIRST.items()]
RUN_HERE = [
    (page, text)
    for page, text in ALL
    if not text.startswith(tuple(NOT_HERE)) and not any(part in text for part in NOT_WITH)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table under the names of the documents, and small pictures."""
    folder = tmp_path_factory.mktemp("documents")
    rng = np.random.default_rng(0)
    y = rng.random(80) < 0.4
    table = pd.DataFrame({"a": rng.normal(2 * y), "b": rng.normal(size=80)})
    table.assign(outcome=np.where(y, "ill", "well")).to_csv(folder / "patients.csv", index=False)
    table.assign(target=np.where(y, "ill", "well")).to_csv(folder / "table.csv", index=False)
    pictures = rng.integers(0, 256, (24, 3, 16, 16), dtype=np.uint8)
    named = table.assign(target=np.where(y, "ill", "well"))
    for name in ("own", "labeled"):
        named.to_csv(folder / f"{name}.csv", index=False)
    others = named.assign(a=named.a + rng.normal(0, 0.3, 80), b=rng.normal(size=80))
    for name in ("other_site", "pool"):
        others.to_csv(folder / f"{name}.csv", index=False)
    (folder / "labels.csv").write_text("ill,ill\nwell,well\n", encoding="utf-8")
    np.savez(folder / "pictures.npz", X=pictures, y=np.arange(24) % 2)
    return folder


def words_of(text: str) -> list[str]:
    """The words of a command, with real paths in place of those of the documents, and short trainings."""
    # A server is started by tests/tuning/test_postgresql.py.
    text = text.replace("postgresql://USER@HOST/DATABASE", "sqlite:///study.db")
    _, name, *words = shlex.split(
        text.replace("[SLOT]", "")
        .replace("--label-map FILE", "--label-map labels.csv")
        .replace("FILE", "predicted.csv")
    )
    data = "pictures.npz" if name == "preview" else "table.csv"
    paths = {"DATA": data, "POOL": "pool.csv", "OTHER": "other_site.csv", "RUN": "run", "OUT": "resumed"}
    words = [re.sub(r"\b(DATA|POOL|OTHER|RUN|OUT)\b", lambda found: paths[found[0]], word) for word in words]
    short = SHORT.get(name, {})
    if name == "fit" and any(one in words for one in SEARCHES):
        short = {"--budget": "4s"}
    elif "--recipe" in words:
        short = {}
    for option, value in short.items():
        if option in words and option != "--set":
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    if "--set" not in words and name == "fit" and "--recipe" not in words:
        words += ["--set", "folds=2"]
    if name in ("compress", "explain"):
        words.append("--force")  # several documents show it
    return [name, *words]


def asked(text: str) -> tuple[str, ...]:
    """What a command asks for, whatever it calls the labeled rows, their target and its folder."""
    words = words_of(text)
    for option in ("--out", "--target"):
        if option in words:
            del words[words.index(option) : words.index(option) + 2]
    return tuple(sorted("table.csv" if word in LABELED else word for word in words))


# Commands that are the same once they are made short run once.
DIFFERENT = {asked(text): (page, text) for page, text in reversed(RUN_HERE)}


@pytest.mark.parametrize(("page", "text"), list(DIFFERENT.values())[::-1], ids=lambda part: part)
def test_a_command_of_the_documents_runs(
    page: str, text: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    if not (home / "run").exists():
        made = rarebird(capsys, monkeypatch, "fit", "table.csv", "--out", "run", "--steps", "4", "--set", "folds=2")
        assert made.code == 0, made.err
    words = words_of(text)
    if "--recipe" in words and not (home / words[words.index("--recipe") + 1]).exists():
        # That of a command before it, which may have run in another process.
        words[words.index("--recipe") + 1] = "run/recipe.toml"
    if "run" in words and words[0] == "fit" and words[words.index("run") - 1] == "--out":
        words[words.index("run")] = f"run-{len(list(home.iterdir()))}"  # a finished run is not replaced
    done = rarebird(capsys, monkeypatch, *words)
    # The gate may reject the rows of a generator, which is an end of its own.
    ends = (0, 3) if words[0] == "synthesize" else (0,)
    assert done.code in ends, f"{page}: {' '.join(words)}\n{done.err}"
    assert "Traceback" not in done.err


@pytest.mark.parametrize("page", START, ids=lambda page: page.stem)
def test_a_page_for_newcomers_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands as they stand, but for a small network and few steps."""
    monkeypatch.chdir(tmp_path)
    done = []
    for body in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        program = re.fullmatch(r"python - <<'END'\n(.*)END\n", body, flags=re.DOTALL)
        if program:
            exec(compile(program[1], page.name, "exec"), {"__name__": "__main__"})
            continue
        for line in body.splitlines():
            if line.startswith(("make ", "source ")):  # another test of this file says why
                continue
            _, name, *words = shlex.split(re.sub(r"--(budget|steps) \S+", "--steps 4", line))
            small = ["--set", "network=linear"]
            short = {"fit": [*small, "--set", "folds=2"], "compare": [*small, "--folds", "2", "--repeats", "1"]}
            found = rarebird(capsys, monkeypatch, name, *words, *short.get(name, []))
            assert found.code == 0, f"{page.name}: {line}\n{found.err}"
            done.append(name)
    assert {"profile", "fit", "predict"} <= set(done)


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_a_translated_page_for_newcomers_has_the_blocks_of_the_original(page: Path) -> None:
    original = page.parents[2] / "start" / page.name
    shown = [re.findall(r"```.*?```", one.read_text(encoding="utf-8"), flags=re.DOTALL) for one in (page, original)]
    assert shown[0] == shown[1]


def test_each_line_is_run_or_has_a_reason() -> None:
    left = {text for _, text in ALL if (_, text) not in RUN_HERE}
    assert all(text.startswith(tuple(NOT_HERE)) or any(part in text for part in NOT_WITH) for text in left)
    assert len(RUN_HERE) > 15
    assert {text.split()[1] for _, text in RUN_HERE} <= set(COMMANDS)
    # Every command is shown somewhere.
    assert {text.split()[1] for _, text in RUN_HERE} == set(COMMANDS)
