"""`docs/silent-mistakes.md`: each block runs, does the harm that its section claims, and gives the figures shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "silent-mistakes.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
# Figures of the table -> (wrong, right).
CLAIMED = {
    name: (float(wrong), float(right))
    for name, wrong, right in re.findall(
        r"^\| \[(.+?)\]\(#.+?\) \| .+? \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE
    )
}
# The least harm: how much larger the wrong figure is than the right one; below 0, how much smaller.
HARM = {
    "Class weights in the order of appearance": -0.5,
    "Class weights keyed by position": -0.5,
    "Softmax before a loss that takes logits": -0.05,
    "A flip for a rotation": -0.1,
    "Resizing that does not resize": -0.3,
    "A penalty that includes the biases": 0.1,
    "SMOTE before the split": 0.25,
    "Over-sampling before cross-validation": 0.3,
    "Choosing columns before the split": 0.3,
    "Rows of one patient on both sides": 0.3,
    "A threshold tuned on the test rows": 0.05,
    "Early stopping on the test rows": 0.04,
    "`model.eval()` forgotten": -0.3,
    "Probabilities of a balanced training taken at face value": 0.2,
}


def test_each_section_has_a_block_a_line_in_the_table_and_a_least_harm() -> None:
    assert list(SECTIONS) == list(CLAIMED) == list(HARM)
    assert all(part.count("```python\n") == 1 for part in SECTIONS.values())


@pytest.mark.parametrize("name", SECTIONS)
def test_a_mistake_does_the_harm_that_the_page_claims(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", SECTIONS[name], flags=re.DOTALL)
    found: dict[str, float] = {}
    exec(compile(block, name, "exec"), found)
    wrong, right = float(found["wrong"]), float(found["right"])
    assert re.search(r"wrong \d\.\d+, right \d\.\d+", capsys.readouterr().out)
    # Other versions of the libraries draw and optimize a little differently.
    assert (wrong, right) == pytest.approx(CLAIMED[name], abs=0.06)
    harm = HARM[name]
    assert (wrong - right) / harm >= 1, f"the harm is {wrong - right:.2f}, not {harm}"
    if "truth .50" in PAGE.partition(f"[{name}]")[2].partition("\n")[0]:
        assert right == pytest.approx(0.5, abs=0.1)
