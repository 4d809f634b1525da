"""Pictures of the reports of three real runs for `docs/screenshots/`: a table, pictures and series, at desk and phone
width, each first screen as a small PNG.

    python benchmarks/screenshots.py --data DATA_FOLDER [--budget 60s] [--lang zh]

`DATA_FOLDER` holds ``tables/mammography.train.csv``, ``images/pneumoniamnist.npz`` and ``series/ECG5000_TRAIN.tsv``.
A run that is there already (in `--runs`) is not made again, only its report.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

RUNS = {
    "table": ("tables/mammography.train.csv", "tables/mammography.test.csv"),
    "pictures": ("images/pneumoniamnist.npz", None),
    "series": ("series/ECG5000_TRAIN.tsv", "series/ECG5000_TEST.tsv"),
}
SIZES = {"desktop": (1400, 1000), "phone": (400, 860)}
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]
# Colors of a stored picture: enough for text and bars.
COLORS = 64


def rarebird(*words: str, folder: Path) -> None:
    """Run a command in the data's folder, so that pages show relative paths."""
    subprocess.run([sys.executable, "-m", "rarebird", *words], check=True, cwd=folder)


def made(name: str, asked: argparse.Namespace, lang: list[str]) -> Path:
    """The run of a kind of data, whose report is in the wanted language."""
    run = (asked.runs / name).resolve()
    train, test = RUNS[name]
    if not (run / "result.json").is_file():
        tested = [] if test is None else ["--test", test]
        rarebird("fit", train, *tested, "--budget", asked.budget, "--out", str(run), folder=asked.data)
    rarebird("report", str(run), *lang, folder=asked.data)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/screenshots"))
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--lang", default="")
    asked = parser.parse_args()
    from PIL import Image
    from playwright.sync_api import sync_playwright

    asked.out.mkdir(parents=True, exist_ok=True)
    lang = ["--lang", asked.lang] if asked.lang else []
    ending = f"-{asked.lang}" if asked.lang else ""
    runs = {name: made(name, asked, lang) for name in RUNS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for name, run in runs.items():
            for size, (width, height) in SIZES.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.goto((run / "report.html").resolve().as_uri())
                picture = Image.open(io.BytesIO(page.screenshot()))
                path = asked.out / f"{name}-{size}{ending}.png"
                picture.convert("RGB").quantize(COLORS).save(path, optimize=True)
                print(path, path.stat().st_size)
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
