"""Peak memory and speed of data that stay on disk: a Parquet table, and a folder of pictures.

    python benchmarks/streaming.py table --gigabytes 20 --columns 500
    python benchmarks/streaming.py pictures --count 200000
    python benchmarks/streaming.py speed --gigabytes 0.5

`table` and `pictures` make the data in a folder, run `rarebird fit` on them in another process, and print the largest
memory that the process and its children had: anonymous and shared pages (`RssAnon` and `RssShmem` of
/proc/PID/status), read 20 times a second. Pages of mapped files do not count: the system takes them back where it must.
`speed` trains the same network on rows in memory and on disk, turn by turn in one process, and prints rows per second.
The data are removed at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GROUP_BYTES = 2**28
RARE = 0.02
SIDE = 64
ROUNDS, ROUND_SECONDS = 5, 4.0


def make_table(path: Path, gigabytes: float, columns: int) -> int:
    """Write a table of float32 numbers with a rare class; rows."""
    import pyarrow as pa
    from pyarrow import parquet

    n = max(1, round(gigabytes * 1e9 / (4 * columns)))
    names = [f"x{place}" for place in range(columns)]
    schema = pa.schema([*((name, pa.float32()) for name in names), ("target", pa.string())])
    rng = np.random.default_rng(0)
    step = max(1, GROUP_BYTES // (4 * columns))
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=["target"]) as writer:
        for start in range(0, n, step):
            rows = min(step, n - start)
            rare = rng.random(rows) < RARE
            values = [
                rng.standard_normal(rows, dtype=np.float32) + np.float32(place < 8) * rare for place in range(columns)
            ]
            writer.write_table(pa.table([*values, np.where(rare, "rare", "common")], schema=schema))
    return n


def make_pictures(folder: Path, count: int) -> None:
    """Write pictures of two classes in two folders."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("common", "rare"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        label = "rare" if rng.random() < RARE else "common"
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        pixels[:3, :3, 0] = 255 if label == "rare" else 0
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(folder / label / f"{number}.jpg")


def memory_of(pid: int) -> int:
    """Bytes of anonymous and shared pages of a process and its children."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            lines = Path(f"/proc/{one}/status").read_text(encoding="ascii").splitlines()
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text(encoding="ascii").split())
        except (OSError, ValueError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon", "RssShmem")))
    return total


def run(command: list[str]) -> int:
    """Run a command; print its peak memory and its seconds."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.05)
    print(
        f"peak memory {peak / 1e9:.2f} GB, {time.monotonic() - start:.0f} s, exit code {process.returncode}", flush=True
    )
    return process.returncode


def speed(path: Path, batch: int) -> None:
    """Rows per second of a network's steps in memory and on disk, turn by turn."""
    import rarebird as rb
    from rarebird.recipe.defaults import default_recipe
    from rarebird.slots import methods
    from rarebird.training.network_trainer import NetworkTrainer

    trainers = {}
    for on_disk in (False, True):
        rows = rb.read(path, on_disk=on_disk).train
        recipe = default_recipe(rows).updated(network=methods.build("network", {"name": "mlp"}), batch_size=batch)
        recipe = recipe.updated(precision="float32", threads=1)
        trainers[on_disk] = NetworkTrainer(recipe, rows, rows.take(np.arange(0)), 0, "cpu")
    ratios = []
    for number in range(ROUNDS):
        rates = {on_disk: batch / trainer.fastest(ROUND_SECONDS)[1] for on_disk, trainer in trainers.items()}
        ratios.append(rates[True] / rates[False])
        print(f"round {number + 1}: {rates[False]:,.0f} rows/s in memory, {rates[True]:,.0f} on disk, {ratios[-1]:.2f}")
    print(f"median ratio {np.median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("table", "pictures", "speed"))
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--batch", type=int, help="Rows of a batch (default: 1024; 128 pictures).")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument(
        "--folder", type=Path, help="Where the data are written (default: the system's temporary folder)."
    )
    given = parser.parse_args()
    # The features of a batch of pictures are most of the memory, whatever the number of pictures.
    given.batch = given.batch or (128 if given.what == "pictures" else 1024)
    with tempfile.TemporaryDirectory(dir=given.folder) as home:
        if given.what == "pictures":
            data = Path(home) / "pictures"
            make_pictures(data, given.count)
        else:
            data = Path(home) / "table.parquet"
            n = make_table(data, given.gigabytes, given.columns)
            print(f"{n:,} rows of {given.columns} columns, {data.stat().st_size / 1e9:.1f} GB", flush=True)
        if given.what == "speed":
            speed(data, given.batch)
            return
        network = "cnn" if given.what == "pictures" else "mlp"
        fit = [
            sys.executable,
            "-m",
            "rarebird",
            "fit",
            str(data),
            "--on-disk",
            "--out",
            str(Path(home) / "run"),
            "--quiet",
        ]
        code = run(
            [*fit, "--set", f"network={network}", "--set", f"batch_size={given.batch}", "--steps", str(given.steps)]
        )
        if code == 0 and given.what == "table":
            model, out = str(Path(home) / "run" / "model"), str(Path(home) / "predicted.csv")
            code = run([sys.executable, "-m", "rarebird", "predict", model, str(data), "--on-disk", "--out", out])
        sys.exit(code)


if __name__ == "__main__":
    main()
