"""The contract that every method of every slot keeps, walked from the folders: a new file is tested before its own test
is written."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods, protocols
from rarebird.slots.decisions import Decision
from rarebird.slots.external_rows import External
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float, Int
from rarebird.slots.synthetic_rows import Synthesis
from tests.contracts.asked import asked_of

PROTOCOLS: dict[str, type] = {
    "external": External,
    "synthesis": Synthesis,
    "resampling": protocols.Resampling,
    "batch_sampling": protocols.BatchSampling,
    "augmentation": protocols.Augmentation,
    "network": protocols.Network,
    "transfer": protocols.Transfer,
    "reference": protocols.Reference,
    "head": protocols.Head,
    "loss": protocols.Loss,
    "regularization": protocols.Regularization,
    "optimizer": protocols.Optimizer,
    "schedule": protocols.Schedule,
    "calibration": protocols.Calibration,
    "decision": Decision,
}
LISTS = ("augmentation", "regularization", "calibration")
CARDS = [(f"{card.slot} {card.name}", card) for slot in methods.SLOTS for card in methods.cards(slot)]

every_method = asked_of(CARDS)
searched_method = asked_of([(name, card) for name, card in CARDS if methods.load(card.slot, card.name).ranges()])


def values(card: methods.Card) -> list[Method]:
    method = methods.load(card.slot, card.name)
    rng = np.random.default_rng(0)
    return [*method.examples(), *(method.sample(rng) for _ in range(5))]


def module_of(card: methods.Card) -> Any:
    return importlib.import_module(methods.load(card.slot, card.name).__module__)


def test_the_small_slots_are_filled() -> None:
    for slot in ("loss", "batch_sampling", "calibration", "decision", "regularization", "optimizer", "schedule"):
        assert methods.names(slot)


@every_method
def test_card_says_what_it_is_and_when_it_helps(card: methods.Card) -> None:
    text = inspect.getdoc(module_of(card)) or ""
    first = text.splitlines()[0]
    assert first == card.line
    assert first.endswith(".")
    assert len(first) <= 120
    assert "Helps when" in text
    assert "Does not help when" in text
    assert "Cost" in text
    assert re.search(r"\b(19[3-9]\d|20[0-2]\d)\b", text), "the card names its source with its year"


@every_method
def test_kinds_are_a_literal_of_valid_names(card: methods.Card) -> None:
    assert card.kinds
    assert len(set(card.kinds)) == len(card.kinds)
    assert set(card.kinds) <= set(methods.KIND_NAMES)


@every_method
def test_class_is_named_for_its_file_and_knows_its_place(card: methods.Card) -> None:
    method = methods.load(card.slot, card.name)
    assert method.__name__ == methods.camel(card.name)
    assert (method.slot, method.name) == (card.slot, card.name)


@every_method
def test_file_and_its_functions_stay_short(card: methods.Card) -> None:
    source = inspect.getsource(module_of(card))
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert len(source.splitlines()) <= 220
    assert all((node.end_lineno or 0) - node.lineno < 50 for node in functions)


@every_method
def test_values_keep_the_protocol_of_their_slot(card: methods.Card) -> None:
    assert methods.load(card.slot, card.name).examples()
    for value in values(card):
        assert isinstance(value, PROTOCOLS[card.slot])


@every_method
def test_values_are_frozen(card: methods.Card) -> None:
    for value in values(card):
        for field in type(value).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(value, field, getattr(value, field))


@every_method
def test_unknown_setting_is_refused_by_name(card: methods.Card) -> None:
    first = methods.load(card.slot, card.name).examples()[0].settings()
    with pytest.raises(ValueError, match=f"{card.name} has no setting 'no_such_setting'"):
        methods.build(card.slot, first | {"no_such_setting": 1})


@searched_method
def test_bad_value_is_refused_with_setting_and_value(card: methods.Card) -> None:
    method = methods.load(card.slot, card.name)
    first = method.examples()[0].settings()
    for field, searched in method.ranges().items():
        bad: list[object] = ["no such value", float("nan")]
        if isinstance(searched, Float | Int) and searched.low >= 0:
            bad.append(-1)
        for value in bad:
            with pytest.raises(ValueError, match=field) as caught:
                methods.build(card.slot, first | {field: value})
            assert repr(value) in str(caught.value)
            assert "\n" not in str(caught.value)


@every_method
def test_a_setting_that_may_be_none_is_none_by_default(card: methods.Card) -> None:
    # Plain values leave out None, so another default would come back in its place.
    for name, field in methods.load(card.slot, card.name).model_fields.items():
        if type(None) in get_args(field.annotation):
            assert field.default is None, name


@every_method
def test_round_trip_through_a_recipe(card: methods.Card) -> None:
    networks = methods.names("network", card.kinds[0])
    for value in values(card):
        filled = {"network": networks[0], card.slot: [value] if card.slot in LISTS else value}
        recipe = Recipe(kind=card.kinds[0], **filled)
        again = Recipe.from_toml(recipe.to_toml())
        assert again == recipe
        assert value in [method for slot, method in again.methods() if slot == card.slot]
        assert Recipe(kind=card.kinds[0], **{**filled, card.slot: recipe.plain()[card.slot]}) == recipe


@searched_method
def test_samples_lie_in_the_search_ranges(card: methods.Card) -> None:
    method = methods.load(card.slot, card.name)
    rng = np.random.default_rng(1)
    for value in [method.sample(rng) for _ in range(20)]:
        for field, searched in method.ranges().items():
            given: Any = getattr(value, field)
            if isinstance(searched, Float | Int):
                assert searched.low <= given <= searched.high
            else:
                assert given in searched.values


@every_method
def test_same_seed_same_sample(card: methods.Card) -> None:
    method = methods.load(card.slot, card.name)
    first, again = (method.sample(np.random.default_rng(7)) for _ in range(2))
    assert first == again
    if method.ranges():
        assert any(method.sample(np.random.default_rng(seed)) != first for seed in range(20))
