"""The profile as text: it fits the terminal, aligns in wide letters, too, and shows the rare ones of many classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame, Pixels
from rarebird.profile.profile import profile
from rarebird.report.profile_text import aligned, display_width, to_text, wrapped


def pictures(n: int = 60) -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, 16, 20), dtype=np.uint8)
    y = np.arange(n) % 2
    return Dataset("image", "classification", Pixels(pixels), np.arange(n), y, ("a", "b"), np.arange(n).astype(str))


def test_text_fits_and_aligns_also_in_wide_letters():
    labels = ("正常", "肺炎（细菌性）", "ok", "é" * 3)
    data = replace(pictures(), classes=labels, y=np.arange(60) % 4, name="胸部X光片" * 30)
    text = to_text(profile(data, test=data.take(np.arange(8))))
    assert max(display_width(line) for line in text.splitlines()) <= 100
    start = text.splitlines().index(next(line for line in text.splitlines() if line.startswith("  class")))
    assert len({display_width(line) for line in text.splitlines()[start : start + 5]}) == 1
    y = (np.arange(400) < 1).astype(np.int64)
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=400), "answer": y})
    leaking = Dataset(
        "table", "classification", Frame(frame), np.arange(400), y, ("common", "rare"), np.arange(400).astype(str)
    )
    narrow = to_text(profile(leaking), width=60)
    assert max(display_width(line) for line in narrow.split("Problems found")[1].splitlines()) <= 60


def test_many_classes_show_the_largest_and_the_rarest():
    y = np.repeat(np.arange(50), np.arange(1, 51))
    data = pictures(len(y))
    text = to_text(profile(replace(data, y=y, classes=tuple(f"c{i}" for i in range(50)))))
    assert "... 20 more classes" in text
    assert all(f"  c{i} " in text for i in (0, 19, 40, 49))
    assert "  c30 " not in text


def test_display_width_and_wrapping():
    assert [display_width(text) for text in ("abc", "胸片", "é", "e\u0301", "")] == [3, 4, 1, 1, 0]
    assert aligned([("a", "1"), ("胸片", "100")]) == ["a       1", "胸片  100"]
    lines = wrapped("  - one two three 胸部X光片胸部X光片 " + "y" * 25, 12, "    ")
    assert all(display_width(line) <= 12 for line in lines)
    assert "".join(line.strip() for line in lines).replace(" ", "") == "-onetwothree胸部X光片胸部X光片" + "y" * 25
