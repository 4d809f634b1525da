"""The blocks of other tools in `docs/coming-from.md` are Python, and their names are those that the page translates."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rarebird.recipe.recipe import Recipe

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "coming-from.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```py\n(.*?)```", PAGE, flags=re.DOTALL)
TOOLS = ("sklearn.utils.class_weight", "keras_tuner", "hyperopt", "fastai", "autogluon", "pycaret")


def test_each_tool_has_a_block_that_parses() -> None:
    imported = set()
    for block in BLOCKS:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Import):
                imported |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    for tool in TOOLS:
        assert any(name == tool or name.startswith(f"{tool}.") for name in imported), tool


@pytest.mark.parametrize("setting", re.findall(r"`([a-z_]+=(?:\[[a-z_]+\]|[a-z_]+|\{name=[a-z_]+, [^`]*?\}+))`", PAGE))
def test_the_settings_of_the_tables_are_accepted(setting: str) -> None:
    if "..." in setting or setting.startswith(("epochs=", "validation_split=", "metrics=", "fix_imbalance=")):
        return
    kind = "image" if setting.startswith("augmentation") else "table"
    base = Recipe(kind=kind, network="mlp", folds=5)
    assert base.with_settings([setting]) != base or setting in ("schedule=cosine",)
