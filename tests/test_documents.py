"""What the documents say is true: Python blocks run, recipes load, and every file that the README's tree names
stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rarebird.recipe.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, block in enumerate(
            re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        ):
            found.append((f"{page.name}-{number}", block))
    return found


@pytest.mark.parametrize(("name", "block"), blocks("python"), ids=lambda part: part if "\n" not in part else "")
def test_python_blocks_run(name: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("name", "block"), blocks("toml"), ids=lambda part: part if "\n" not in part else "")
def test_recipes_load(name: str, block: str) -> None:
    recipe = Recipe.from_toml(block)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert set(tomllib.loads(block)) <= set(Recipe.model_fields)


def test_settings_shown_are_accepted() -> None:
    recipe = Recipe(kind="image", network="resnet", loss={"name": "focal", "gamma": 1.0}, augmentation=["rotate"])
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([a-z_.]+=[^`]*)`", page, flags=re.MULTILINE)
    assert len(shown) >= 6
    table = Recipe(kind="table", network="mlp", folds=5)
    for setting in shown:
        base = table if setting.startswith(("resampling", "reference")) else recipe
        assert base.with_settings([setting]) != base


def test_the_readmes_tree_and_commands_stand() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"```\nsrc/rarebird/\n(.*?)```", text, flags=re.DOTALL)
    assert tree is not None
    for line in tree[1].splitlines():
        for name in re.split(r"\s{2,}", line.strip())[0].split():
            path = ROOT / "src" / "rarebird" / name
            assert path.is_dir() if name.endswith("/") else path.with_suffix(".py").is_file(), name
    for target in re.findall(r"^make (\w+)", text, flags=re.MULTILINE):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
