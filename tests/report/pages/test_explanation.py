"""The page of explanations: inert, escaped, readable at phone and desk width in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.explanation.effects import ColumnEffect
from rarebird.report.figures.amounts import bars, behind_curve, effect_svg, importance_bars, over_picture, picture
from rarebird.report.pages.explanation import Effect, ExplainedClass, ExplainedRow, Explanation, Shown, write

pytestmark = pytest.mark.xdist_group("heavy")
HOSTILE = "<script>alert(1)</script>"
LONG = "averyverylongnameofacolumn" * 5


def table_page() -> Explanation:
    names = [HOSTILE, "正常", LONG, "age"]
    row = ExplainedRow(
        name=HOSTILE,
        why="wrongly named",
        labels=f"It is {HOSTILE}; the model names it 正常.",
        output="Log-odds of class 正常: 1.20.",
        bars=bars(names, np.array([2.0, -1.0, 0.5, 0.0]), ["1.5", LONG, HOSTILE, "–"]),
        rest="The other 3 columns together: +0.1.",
    )
    ends = np.array([[0.2, 0.6], [-0.2, 0.1], [0.0, 0.0], [0.0, 0.0]])
    effect = ColumnEffect(LONG, np.array([0.0, 1.0, 4.0]), np.array([-1.0, 0.0, 2.0]), np.full(3, 0.2), True)
    dots = ColumnEffect("ward", np.array(["a", HOSTILE]), np.array([-1.0, 1.0]), np.full(2, 0.2), False)
    return Explanation(
        name=HOSTILE,
        kind="table",
        output="Explained is the log-odds.",
        methods=("Integrated gradients.",),
        importance=importance_bars(names, np.array([0.4, -0.1, 0.0, 0.0]), ends),
        measure="Permutation importance.",
        effects=tuple(
            Effect(name=one.column, svg=effect_svg(one, place, "An effect."), about="An effect.")
            for place, one in enumerate((effect, dots))
        ),
        classes=(ExplainedClass(label=HOSTILE, rows=(row, row)),),
        checks=("The amounts add up.",),
    )


def picture_page() -> Explanation:
    rng = np.random.default_rng(0)
    pixels, amounts = rng.random((3, 28, 28)), rng.normal(size=(28, 28))
    curve = behind_curve(rng.normal(size=(2, 900)), rng.normal(size=(1, 900)), HOSTILE)
    shown = (
        Shown(title="The picture", about="picture 1", picture=picture(pixels)),
        Shown(title="Integrated gradients", about="over picture 1", picture=over_picture(pixels, amounts)),
        Shown(title="Grad-CAM", about="over picture 1", picture=over_picture(pixels, np.zeros((28, 28)))),
        Shown(title="A series", about="behind series 1", curve=curve),
    )
    row = ExplainedRow(name=LONG, why="typical", labels="It is a.", output="1.2", shown=shown)
    classes = (ExplainedClass(label="a", rows=(row,) * 3),)
    return Explanation(name="pictures", kind="image", output="Explained.", methods=(), classes=classes)


PAGES = {"table": table_page, "image": picture_page}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("explanations")
    for name, make in PAGES.items():
        write(folder / f"{name}.html", make())
    return {name: folder / f"{name}.html" for name in PAGES}


def test_the_page_is_inert_and_escapes_what_the_user_wrote(pages: dict[str, Path]) -> None:
    for path in pages.values():
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text
        assert not re.search(r"https?://|@import", text)
        assert all("alt=" in image for image in re.findall(r"<img[^>]*>", text))
        assert all('role="img" aria-label="' in one for one in re.findall(r"<svg viewBox[^>]*>", text))


@pytest.mark.parametrize("name", list(PAGES))
def test_it_fits_phone_and_desk_and_every_picture_is_drawn(browser: Any, pages: dict[str, Path], name: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(pages[name].as_uri())
    for width in (1400, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        drawn = page.locator(".explained-shown img, .explained-shown svg, .effects svg, table.amounts td svg").all()
        boxes = [one.bounding_box() for one in drawn]
        assert boxes
        assert all(box["width"] > 40 and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert said == []
    page.close()
