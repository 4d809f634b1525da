"""The site of the documents: it builds without a warning and fetches nothing, every page is reached, and the pages of
the slots say what the methods' own cards and values say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from rarebird.slots import methods

ROOT = Path(__file__).resolve().parents[1]
# What a page loads, in its head or its body; a link that a reader may follow is no such thing.
LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\"' >]+")


def hook(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "docs" / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


method_pages, page_links = hook("method_pages"), hook("page_links")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning ends its build."""
    pytest.importorskip("material", reason="the theme of the site is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    # Silences the theme's word on its own end of life, which is no fault of the pages; `make docs` does the same.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return folder


def navigated(entries: object) -> list[str]:
    """The pages of the navigation of mkdocs.yml."""
    if isinstance(entries, str):
        return [entries]
    inner = entries.values() if isinstance(entries, dict) else entries
    return [page for entry in inner for page in navigated(entry)]  # type: ignore[attr-defined]


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    found = [f"{path.name}: {match[0]}" for path in pages for match in LOADED.finditer(path.read_text("utf-8"))]
    # A canonical or alternate address is none; nothing else is expected either.
    assert not found, "\n".join(found)
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\([\"']?(?:https?:)?//|@import", styles)


def test_every_page_is_in_the_navigation_and_on_the_site(site: Path) -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = [page for page in navigated(config["nav"]) if page != "methods/index.md"]
    assert len(listed) == len(set(listed))
    own = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(listed) <= own
    for page in own:
        assert (site / page).with_suffix(".html").is_file(), page
    for slot in methods.SLOTS:
        assert (site / "methods" / f"{slot}.html").is_file()
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    assert any("logit_adjusted" in entry["location"] for entry in index["docs"])


def test_the_configuration_asks_for_strict_links_and_no_fonts() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    assert config["strict"] is True
    assert config["theme"]["font"] is False
    assert config["validation"]["nav"]["omitted_files"] == "info"
    assert set(config["validation"]["links"].values()) == {"warn"}


@pytest.mark.parametrize("slot", methods.SLOTS)
def test_the_page_of_a_slot_has_each_method_with_its_settings_as_they_are(slot: str) -> None:
    assert tuple(method_pages.slots()) == methods.SLOTS
    assert method_pages.slot_sentence(slot).endswith(".")
    text = method_pages.slot_page(slot)
    found = {one.name: one for one in method_pages.methods(slot)}
    assert [(card.name, card.line, card.kinds) for card in methods.cards(slot)] == [
        (one.name, one.line, one.kinds) for one in found.values()
    ]
    for name, one in found.items():
        loaded = methods.load(slot, name)
        assert f"## {name} " in text
        assert [setting.name for setting in one.settings] == list(loaded.model_fields)
        assert all(setting.meaning for setting in one.settings), name
        searched = {setting.name for setting in one.settings if setting.searched != "–"}
        assert searched == set(loaded.ranges())


def test_names_of_pages_become_links_outside_of_code() -> None:
    text = "See `docs/start/table.md`.\n\n```bash\ncat `docs/recipes.md`\n```\n\nThen `docs/recipes.md`."
    linked = page_links.linked(text, "start/series.md")
    assert linked.startswith("See [Five minutes with a table](table.md).\n\n```bash\ncat `docs/recipes.md`\n```\n")
    assert linked.endswith("Then [Recipes](../recipes.md).")
