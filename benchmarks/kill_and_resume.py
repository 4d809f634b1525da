"""Kills and interrupts `rarebird fit` at random moments, resumes it, and compares with a run that nobody disturbed.

    python benchmarks/kill_and_resume.py --moments 30
    python benchmarks/kill_and_resume.py --moments 30 --namespace    # each fit is process 1 of a namespace of its own

Ways: ``kill`` (SIGKILL), ``term`` (SIGTERM), ``interrupt`` (Ctrl-C), ``twice`` (Ctrl-C, and again a moment later). For
each way, with one process and with two workers, a fit is started and hit at a random moment. Then the same command runs
with ``--resume``, if the first one has not finished. The search has recipes of fixed steps and no budget, so that its
trials repeat exactly. A moment is a number of processor seconds that the fit and its workers have used, between none
and those that an undisturbed fit uses: so the moments are as far in the work on a busy machine as on a free one.

Counted, and expected to be 0 everywhere:

- *lost*: trials that had finished before the moment and were trained again, or are not in the file of trials;
- *left*: files and folders beside the run or in the temporary folder, unexpected names in the run, living processes;
- *different*: trials whose loss is not that of the undisturbed run, or a final model with other outputs where the same
  trials had finished;
- *failed*: commands that ended with another exit code than expected, or with a traceback.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

WAYS = ("kill", "term", "interrupt", "twice")
# Processor seconds between the two signals of ``twice``.
AGAIN = 0.1
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")


def drive(arguments: list[str]) -> None:
    """The command line, with a search of recipes of fixed steps and without a budget."""
    from rarebird import cli
    from rarebird.automl import search
    from rarebird.automl.portfolio import PortfolioEntry
    from rarebird.cli import fit

    def short(train: object, base: object, *more: object) -> list[PortfolioEntry]:
        settings = {
            "linear": ["network=linear", "steps=60", "batch_size=64"],
            "trees": ["reference={name=boosted_trees,rounds=30}"],
            "forest": ["reference={name=extra_trees,rounds=40}"],
            "mlp": ["network={name=mlp,depth=1,width=32}", "steps=80"],
        }
        recipes = {name: base.with_settings(chosen) for name, chosen in settings.items()}  # type: ignore[attr-defined]
        roles = dict.fromkeys(settings, "portfolio") | {"mlp": "default"}
        return [PortfolioEntry(name, one, role=roles[name], stays=True) for name, one in recipes.items()]  # type: ignore[arg-type]

    search.portfolio, search.MOST_REPEATS = short, 2  # type: ignore[assignment]
    fit.seconds_of = lambda text: None  # type: ignore[assignment, return-value]
    sys.argv = ["rarebird", *arguments]
    cli.main()


def data(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    target = np.where(x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.normal(size=400) > 1.0, "rare", "common")
    pd.DataFrame(x, columns=list("abcd")).assign(target=target).to_csv(folder / "data.csv", index=False)
    return folder / "data.csv"


class Bench:
    """Fits in a folder of their own, with a temporary folder that is looked into afterwards."""

    def __init__(self, home: Path, workers: int, namespace: bool) -> None:
        self.home, self.workers, self.namespace = home, workers, namespace
        self.data, self.temporary = data(home), home / "tmp"
        self.temporary.mkdir()

    def start(self, out: Path, *more: str) -> subprocess.Popen[str]:
        words = ["fit", str(self.data), "--out", str(out), "--workers", str(self.workers), "--set", "folds=3"]
        command = [sys.executable, __file__, "drive", *words, "--threads", "1", "--quiet", *more]
        command = [*(NAMESPACE if self.namespace else ()), *command]
        environment = os.environ | {"TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)

    def hit(self, process: subprocess.Popen[str], one: signal.Signals) -> None:
        """Send a signal to the command itself, which in a namespace of its own is the child of `unshare`."""
        target = process.pid
        try:
            if self.namespace:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                target = int(children[0]) if children else process.pid
            os.kill(target, one)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            return

    def undisturbed(self) -> tuple[dict[tuple[str, int], float], np.ndarray, float]:
        """Losses of the trials, outputs of the model, and processor seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = self.start(self.home / "whole")
        _, error = process.communicate()
        assert process.returncode == 0, error
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return trials(self.home / "whole"), outputs(self.home / "whole"), seconds


def processor_seconds(process: int) -> float:
    """Processor seconds of a process, of the children that it waited for, and of those that live."""
    folder = Path(f"/proc/{process}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        children = (folder / "task" / str(process) / "children").read_text().split()
    except OSError:  # it has ended
        return 0.0
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)


def wait_until(process: subprocess.Popen[str], moment: float) -> None:
    """Wait until a process and its children have used so many processor seconds, or it has ended."""
    while process.poll() is None and processor_seconds(process.pid) < moment:
        time.sleep(0.01)


def trials(run: Path) -> dict[tuple[str, int], float]:
    """(name, seed) -> loss of each finished trial; empty before there is any."""
    if not (run / "trials.db").is_file():
        return {}
    found = {}
    query = (
        "SELECT trials.trial_id, value, key, value_json FROM trials JOIN trial_values USING (trial_id) "
        "JOIN trial_user_attributes USING (trial_id) WHERE state = 'COMPLETE'"
    )
    rows: dict[int, dict[str, object]] = {}
    with closing(sqlite3.connect(run / "trials.db")) as connection:
        try:
            for number, value, key, text in connection.execute(query):
                rows.setdefault(number, {"value": value})[key] = json.loads(text)
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}
    for row in rows.values():
        seed = next(line for line in str(row["recipe"]).splitlines() if line.startswith("seed ="))
        key = (str(row["name"]), int(seed.split("=")[1]))
        found[key] = float(row["value"]) if key not in found else np.nan  # trained twice
    return found


def is_unfinished(run: Path) -> bool:
    """Whether the run's own list says that its search can be resumed."""
    listed = run / ".rarebird" / "files.json"
    return listed.is_file() and bool(json.loads(listed.read_text(encoding="utf-8"))["unfinished"])


def outputs(run: Path) -> np.ndarray:
    return pd.read_csv(run / "test_predictions.csv").filter(like="probability_").to_numpy()


def living(session: int) -> list[str]:
    """Numbers of the processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


def wait_for_the_end(session: int) -> None:
    """Wait for the workers that lost their main process: they end by themselves."""
    for _ in range(100):
        if not living(session):
            return
        time.sleep(0.1)


def left_over(bench: Bench, run: Path, session: int) -> list[str]:
    """What is there and should not be."""
    from rarebird.automl.command import FILES

    run_files = {".rarebird", "trials.db", *FILES}
    beside = [path.name for path in run.parent.iterdir() if path.name not in ("data.csv", "tmp", "whole", run.name)]
    inside = [] if not run.exists() else [path.name for path in run.iterdir() if path.name not in run_files]
    hidden = run / ".rarebird"
    inside += (
        [path.name for path in hidden.iterdir() if path.name not in ("lock", "files.json")] if hidden.is_dir() else []
    )
    inside += [path.name for path in (run / "model").glob(".*")]
    alive = [f"process {number}" for number in living(session)]
    # torch keeps a cache of its own in the temporary folder, also after a run that nobody disturbed.
    temporary = [path.name for path in bench.temporary.iterdir() if not path.name.startswith("torchinductor_")]
    return [*beside, *inside, *temporary, *alive]


def disturbed(bench: Bench, way: str, moment: float, whole: tuple[dict[tuple[str, int], float], np.ndarray]) -> dict:
    """One fit that is hit at a moment, and resumed: what was counted."""
    run = bench.home / "run"
    process = bench.start(run)
    session = process.pid
    wait_until(process, moment)
    bench.hit(process, {"kill": signal.SIGKILL, "term": signal.SIGTERM}.get(way, signal.SIGINT))
    if way == "twice":
        wait_until(process, processor_seconds(process.pid) + AGAIN)
        bench.hit(process, signal.SIGINT)
    _, said = process.communicate()
    before, code, errors = trials(run), process.returncode, []
    finished = (run / "result.json").is_file() and not is_unfinished(run)
    if "Traceback" in said and "rarebird" in said.partition("Traceback")[2]:
        errors.append(said[-300:])
    if not finished:
        process = bench.start(run, "--resume")
        session = process.pid
        _, again = process.communicate()
        if process.returncode != 0:
            errors.append(f"resumed: {process.returncode} {again[-300:]}")
    elif way != "kill" and code not in (0, 1):
        errors.append(f"code {code}")
    wait_for_the_end(session)
    after = trials(run)
    lost = [key for key in before if key not in after or np.isnan(after[key])]
    different = [key for key, value in after.items() if not finished and value != whole[0].get(key)]
    if (run / "result.json").is_file() and after == whole[0] and not np.array_equal(outputs(run), whole[1]):
        different.append(("model", 0))
    left = left_over(bench, run, session)
    subprocess.run(["rm", "-rf", str(run)], check=True)
    return {"lost": len(lost), "left": left, "different": len(different), "failed": errors, "kept": len(before)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--namespace", action="store_true", help="each fit in a fresh PID namespace (needs root)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    bad = 0
    for workers in given.workers:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), workers, given.namespace)
            losses, model, seconds = bench.undisturbed()
            print(f"workers {workers}: {len(losses)} trials, {seconds:.1f} processor seconds undisturbed", flush=True)
            for way in given.ways:
                found = [disturbed(bench, way, draw.uniform(0, seconds), (losses, model)) for _ in range(given.moments)]
                counts = {key: sum(one[key] for one in found) for key in ("lost", "different", "kept")}
                left = [name for one in found for name in one["left"]]
                failed = [text for one in found for text in one["failed"]]
                bad += counts["lost"] + counts["different"] + len(left) + len(failed)
                print(
                    f"  {way:<10} moments {given.moments:>3}  trials kept {counts['kept']:>3}  lost {counts['lost']}  "
                    f"different {counts['different']}  left {len(left)} {left[:4]}  failed {len(failed)} {failed[:2]}",
                    flush=True,
                )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["drive"]:
        drive(sys.argv[2:])
    else:
        main()
