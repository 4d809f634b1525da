"""Methods are found by slot and file name, listed without being imported, and complain in one sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from rarebird.core.checks import DataError
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float, Int


class Sample(Method):
    """A method outside of every slot."""

    rate: Annotated[float, Float(0.1, 1)] = Field(default=0.5, gt=0)
    size: Annotated[int, Int(1, 9)] = Field(default=3, ge=1)
    mode: Annotated[Literal["a", "b"], Choice("a", "b")] = "a"
    fixed: float | None = None


def test_a_file_in_a_slots_folder_is_the_method() -> None:
    focal = methods.load("loss", "focal")
    assert (focal.slot, focal.name, focal.__name__) == ("loss", "focal", "Focal")
    assert methods.build("loss", {"name": "focal", "gamma": 3}).settings() == {"name": "focal", "gamma": 3.0}
    assert "focal" in methods.names("loss")
    assert methods.kinds("loss", "focal") == ("image", "table", "series")


def test_files_without_kinds_are_no_methods() -> None:
    assert "_parameter_groups" not in methods.names("optimizer")
    with pytest.raises(DataError, match="optimizer has no method '_parameter_groups'"):
        methods.load("optimizer", "_parameter_groups")


def test_listing_imports_no_method() -> None:
    code = (
        "import sys; from rarebird.slots import methods; cards = [c for s in methods.SLOTS for c in methods.cards(s)]; "
        "assert cards and all(c.line for c in cards); "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('rarebird.methods')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_names_can_be_filtered_by_kind() -> None:
    for kind in methods.KIND_NAMES:
        assert methods.names("loss", kind) == [card.name for card in methods.cards("loss") if kind in card.kinds]


def test_unknown_slots_and_names_get_the_nearest() -> None:
    with pytest.raises(DataError, match="There is no slot 'los'; did you mean 'loss'"):
        methods.names("los")
    with pytest.raises(DataError, match="loss has no method 'focl'; did you mean 'focal'"):
        methods.load("loss", "focl")
    with pytest.raises(DataError, match="loss needs the name of a method"):
        methods.build("loss", {"gamma": 2})
    with pytest.raises(DataError, match="loss has no method"):
        methods.load("loss", "../../recipe")


def test_ranges_are_part_of_their_fields() -> None:
    assert Sample.ranges() == {"rate": Float(0.1, 1), "size": Int(1, 9), "mode": Choice("a", "b")}
    drawn = Sample.sample(np.random.default_rng(0))
    assert drawn.fixed is None
    assert drawn == Sample.sample(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": -1}, "`rate > 0` must hold for Sample, but got rate=-1."),
        ({"size": 0}, "`size >= 1` must hold for Sample, but got size=0."),
        ({"mode": "c"}, "`mode is 'a' or 'b'` must hold for Sample, but got mode='c'."),
        ({"rat": 1}, "Sample has no setting 'rat'; did you mean 'rate'?"),
        (
            {"size": "x"},
            "Sample cannot take size='x': input should be a valid integer, unable to parse string as an integer.",
        ),
        ({"rate": float("inf")}, "Sample cannot take rate=inf: input should be a finite number."),
        ({"self": 1}, "Sample has no setting 'self'; did you mean 'size'?"),
    ],
)
def test_complaints_are_one_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match="Sample") as caught:
        Sample(**settings)
    assert str(caught.value) == message


def test_camel_case() -> None:
    assert methods.camel("logit_adjusted") == "LogitAdjusted"
    assert methods.camel("l1") == "L1"
