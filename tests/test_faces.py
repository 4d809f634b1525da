"""The public packages of methods: each method of their slots has a class, with a signature, a document and a stub that
is current."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from rarebird.slots import methods
from rarebird.slots.faces import settings
from tests.face_stubs import PACKAGES, face, path_of, stub

CLASSES = [(package, name) for package in PACKAGES for name in face(package).names]


def test_every_method_of_the_slots_has_a_class() -> None:
    of_slots = {
        (slot, method)
        for package in PACKAGES
        for slot in face(package).slots
        for method in methods.names(slot)
        if method not in face(package).left_out
    }
    assert {face(package).names[name] for package, name in CLASSES} == of_slots
    assert len(CLASSES) == len(of_slots) > 60
    assert sorted(slot for package in PACKAGES for slot in face(package).slots) == [
        "augmentation",
        "calibration",
        "decision",
        "loss",
        "resampling",
    ]


@pytest.mark.parametrize(("package", "name"), CLASSES, ids=lambda part: part)
def test_a_class_has_the_settings_of_its_method_and_says_what_they_are(package: str, name: str) -> None:
    made = face(package).look_up(name)
    method = methods.load(*face(package).names[name])
    parameters = inspect.signature(made).parameters
    given = [one for one in settings(method) if one.name in parameters]
    assert [one.name for one in given] == [one for one in method.model_fields if one in parameters]
    replaced = {"ratio", "classes", "column"}
    assert set(method.model_fields) - set(parameters) <= replaced
    assert all(parameters[one.name].default == one.default for one in given)
    assert all(one.text for one in given), "each setting has its line"
    card = inspect.getmodule(method).__doc__ or ""
    assert made.__doc__.startswith(card.strip().splitlines()[0])
    assert all(f"    {parameter}: " in made.__doc__ for parameter in parameters)
    assert made.__module__ == f"rarebird.{package}"
    assert pickle.loads(pickle.dumps(made)) is made


@pytest.mark.parametrize("package", PACKAGES)
def test_the_stub_is_current(package: str) -> None:
    assert path_of(package).read_text(encoding="utf-8") == stub(package), "run `make faces`"


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_no_attribute(package: str) -> None:
    module: Any = __import__(f"rarebird.{package}", fromlist=["x"])
    assert set(module.__all__) == set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'Smotee'"):
        _ = module.Smotee
