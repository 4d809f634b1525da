"""The model card and the data card that lie beside whatever a command writes of a model."""

from __future__ import annotations

from collections.abc import Mapping

from rarebird.evaluation.result import Result
from rarebird.model.files import DATA_CARD, MODEL_CARD
from rarebird.model.model import Model
from rarebird.profile.facts import Profile
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.report.cards.data_card import data_card
from rarebird.report.cards.markdown import fenced, plain
from rarebird.report.cards.model_card import model_card


def cards(model: Model, result: Result, recipe: AnyRecipe, profile: Profile, fingerprint: str) -> dict[str, str]:
    """File name -> text of both cards of a run.

    Args:
        model: It knows where the initial weights of its networks come from.
        result: The result of the run.
        recipe: The recorded recipe.
        profile, fingerprint: Of the training rows.
    """
    started = [member.started for member in model.members if member.started is not None]
    return {
        MODEL_CARD: model_card(result, recipe, started, fingerprint),
        DATA_CARD: data_card(profile, result, fingerprint),
    }


def changed_cards(before: Mapping[str, str], what: str, text: str) -> dict[str, str]:
    """The cards of a model that a command made of another one.

    Args:
        before: The cards of the other model; without them, the new card says that none are known.
        what: What was done, as a sentence.
        text: What the command prints about it, the figures of the new model among it.
    """
    known = before.get(MODEL_CARD)
    head, _, rest = (known or "# Model card\n").partition("\n")
    below = "The sections below describe the model before." if known else "The model before has no card."
    section = f"## What was changed\n\n{plain(what)} {below}\n\n{fenced(text, 'text')}"
    return {**before, MODEL_CARD: "\n\n".join(part.strip() for part in (head, section, rest) if part.strip()) + "\n"}
