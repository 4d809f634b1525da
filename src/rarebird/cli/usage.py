"""Commands and options that do not exist, and words too many: one sentence with what the user may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

# Names that other tools give to an option or a command of this one.
OTHER_OPTIONS = {
    "config": "recipe",
    "cuda": "device",
    "cv": "folds",
    "eval-metric": "metric",
    "folder": "out",
    "gpu": "device",
    "group": "groups",
    "images": "pictures",
    "jobs": "workers",
    "label": "target",
    "labels": "target",
    "model-dir": "out",
    "n-jobs": "workers",
    "output": "out",
    "output-dir": "out",
    "pos-label": "positive",
    "positive-class": "positive",
    "random-state": "seed",
    "sample-weight": "weight",
    "scoring": "metric",
    "target-column": "target",
    "test-data": "test",
    "time-limit": "budget",
    "type": "kind",
    "weights": "weight",
    "y": "target",
}
OTHER_COMMANDS = {
    "check": "profile",
    "describe": "profile",
    "find-lr": "learning-rate",
    "infer": "predict",
    "inspect": "profile",
    "lr-find": "learning-rate",
    "methods": "list",
    "score": "evaluate",
    "search": "fit",
    "test": "evaluate",
    "train": "fit",
    "validate": "evaluate",
}
# Similarity of two names from which on one may be a slip of the other; below it, a suggestion would mislead.
_SIMILAR = 0.75


def sentence(error: Any) -> str | None:
    """A sentence for a usage error about an unknown option or command, or a word too many; None for other errors."""
    context = getattr(error, "ctx", None)
    if context is None:
        return None
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and isinstance(option, str):
        return f"`{_typed(context)}` has no option {option}; {_option_hint(option, context)}"
    if (words := _too_many(str(getattr(error, "message", "")))) is not None:
        return f"`{_typed(context)}` has no use for {words!r}; {_quoting_hint(words)}"
    commands = getattr(context.command, "commands", None)
    name = _unknown_command(str(getattr(error, "message", "")))
    if commands is None or name is None:
        return None
    meant = OTHER_COMMANDS.get(name) or _similar(name, list(commands))
    hint = f"did you mean `rarebird {meant}`?" if meant else f"there are {', '.join(commands)}."
    return f"There is no command {name!r}; {hint}"


def _quoting_hint(words: str) -> str:
    """A shell divides a path with blanks, and a setting with braces and commas, into several words."""
    if "=" in words:
        return "put a setting with braces or brackets into quotes, as --set 'network={name=mlp,width=64}'."
    return "put a path with blanks into quotes."


def _option_hint(option: str, context: Any) -> str:
    known = [one for parameter in context.command.params for one in parameter.opts if one.startswith("--")]
    word = option.lstrip("-")
    other = f"--{OTHER_OPTIONS.get(word, '')}"
    meant = other if other in known else _similar(f"--{word}", known)
    if meant is not None:
        return f"did you mean {meant}?"
    key = _key_of_recipe(word) if "--set" in known else None
    if key is not None:
        setting = key if "=" in key else f"{key}=VALUE"
        return f"did you mean --set {setting}?"
    return f"`{_typed(context)} --help` lists the options."


def _typed(context: Any) -> str:
    """The command as a user types it, however this process was started."""
    return "rarebird" if context.parent is None else f"rarebird {context.info_name}"


def _key_of_recipe(word: str) -> str | None:
    """The key, setting or method of a recipe with that name."""
    from rarebird.recipe.recipe import Recipe
    from rarebird.recipe.suggestions import meaning

    usual = {"network": "mlp", "optimizer": "adamw", "loss": "cross_entropy"}
    return meaning(word, usual, Recipe.model_fields)


def _similar(name: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR)), None)


def _too_many(message: str) -> str | None:
    """The words in click's message "Got unexpected extra arguments (x y)"."""
    start, bracket, rest = message.partition("(" if "(s)" not in message else "(s) (")
    return rest.removesuffix(")") if start.startswith("Got unexpected extra argument") and bracket else None


def _unknown_command(message: str) -> str | None:
    """The name in click's message "No such command 'x'."."""
    start, quote, rest = message.partition("'")
    return rest.partition("'")[0] if start == "No such command " and quote else None
