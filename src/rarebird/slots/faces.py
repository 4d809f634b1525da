"""Public classes made of a slot's methods: how they are called, and their signatures and documents.

The packages `sampling`, `losses`, `augment` and `decide` have one class per method, for use in other people's code. The
folder of the slot stays the list: a new method has its class at once. The ``__init__.pyi`` beside each package, for
editors and type checkers, is written by ``make faces`` and compared by the tests.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from rarebird.slots import methods
from rarebird.slots.methods import Method

# Words of method names that the field writes otherwise than with one capital.
ACRONYMS = {"smote": "SMOTE", "enn": "ENN", "adasyn": "ADASYN", "ldam": "LDAM", "auc": "AUC"}


@dataclass(frozen=True)
class Face:
    """One public package.

    Attributes:
        package: Its name, ``rarebird.losses``.
        slots: Slot -> what follows the method's name in a public name, ``{"loss": "Loss"}``.
        made_by: ``module:function`` that makes the class of a slot's method, ``(slot, method, public name) -> class``.
        spelled: Words of method names that are spelled otherwise in public names.
        own: Public names that are no method's -> the module of the package that has them.
        left_out: Methods without a class of their own.
    """

    package: str
    slots: Mapping[str, str]
    made_by: str
    spelled: Mapping[str, str]
    own: Mapping[str, str]
    left_out: tuple[str, ...] = ()

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Public name -> slot and method, in the order of the slots and of their methods' names."""
        return {
            self.public_name(slot, method): (slot, method)
            for slot in self.slots
            for method in methods.names(slot)
            if method not in self.left_out
        }

    def public_name(self, slot: str, method: str) -> str:
        """``logit_adjusted`` -> ``LogitAdjustedLoss``."""
        known = {**ACRONYMS, **self.spelled}
        return "".join(known.get(word, word.capitalize()) for word in method.split("_")) + self.slots[slot]

    @property
    def everything(self) -> list[str]:
        """All public names."""
        return sorted([*self.own, *self.names])

    def look_up(self, name: str) -> Any:
        """The public class of that name; it is made when it is first asked for.

        Raises:
            AttributeError: There is none.
        """
        package = import_module(self.package)
        if name in self.own:
            found = getattr(import_module(f"{self.package}.{self.own[name]}"), name)
        elif name in self.names:
            module, _, function = self.made_by.partition(":")
            found = getattr(import_module(module), function)(*self.names[name], name)
        else:
            raise AttributeError(f"module {self.package!r} has no attribute {name!r}")
        # One class for all, so that a pickled instance finds its own.
        return package.__dict__.setdefault(name, found)


@dataclass(frozen=True)
class Setting:
    """A parameter of a public class that comes from a field of its method.

    Attributes:
        name: Of the parameter and of the field.
        type: The field's type as text.
        default: `inspect.Parameter.empty` where the field has none.
        text: The field's line in the method's docstring.
    """

    name: str
    type: str
    default: Any
    text: str


def settings(method: type[Method], left_out: Sequence[str] = ()) -> list[Setting]:
    """The parameters that a method's fields make, in the fields' order."""
    texts = field_texts(method)
    return [
        Setting(
            name,
            type_text(info.annotation),
            inspect.Parameter.empty if info.is_required() else info.get_default(call_default_factory=True),
            texts.get(name, ""),
        )
        for name, info in method.model_fields.items()
        if name not in left_out
    ]


def with_parameters(function: Callable[..., None], given: Sequence[Setting], ahead: str = "") -> Callable[..., None]:
    """An ``__init__`` with a signature that editors and scikit-learn read.

    Args:
        function: ``(self, **values)``; it gets every parameter by name, defaults included. Its own keyword-only
            parameters follow those of the method.
        given: The parameters that a method's fields make; all are keyword-only.
        ahead: The name of one parameter before them, which may be given by position.
    """
    own = [one for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
    parameter, keyword = inspect.Parameter, inspect.Parameter.KEYWORD_ONLY
    made = [parameter("self", parameter.POSITIONAL_OR_KEYWORD)]
    made += [parameter(ahead, parameter.POSITIONAL_OR_KEYWORD)] if ahead else []
    fields = [parameter(one.name, keyword, default=one.default) for one in given]
    signature = inspect.Signature([*made, *fields, *own])

    def __init__(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = dict(bound.arguments)
        function(values.pop("self"), **values)

    __init__.__dict__["__signature__"] = signature
    return __init__


def document(method: type[Method], given: Sequence[Setting], own: str) -> str:
    """The docstring of a public class: the method's card, its settings, and the class's own parameters.

    Args:
        method: The method.
        given: The settings that are parameters.
        own: Lines on the class's own parameters, as in a docstring's ``Args:``.
    """
    card = inspect.cleandoc(inspect.getmodule(method).__doc__ or "")
    lines = [f"    {one.name}: {one.text}" for one in given]
    return "\n".join([card, "", "Args:", *lines, *("    " + line for line in inspect.cleandoc(own).splitlines()), ""])


def field_texts(method: type[Method]) -> dict[str, str]:
    """Field -> its text in the ``Attributes:`` of the class or of those that it derives from."""
    found: dict[str, str] = {}
    for one in reversed(method.__mro__):
        _, _, body = (inspect.cleandoc(one.__doc__ or "") if issubclass(one, Method) else "").partition("Attributes:\n")
        for names, text in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", body, flags=re.MULTILINE):
            found |= dict.fromkeys(names.split(", "), re.sub(r"\s+", " ", text))
    return found


def type_text(annotation: Any) -> str:
    """A type as the text of an annotation, without marks and limits: ``float``, ``Literal["all", "mode"]``."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(parts[0])
    if origin is Literal:
        return f"Literal[{', '.join(json.dumps(part) for part in parts)}]"
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(map(type_text, parts)))
    if origin is not None:
        return f"{origin.__name__}[{', '.join('...' if part is Ellipsis else type_text(part) for part in parts)}]"
    return "None" if annotation is type(None) else str(getattr(annotation, "__name__", "Any"))
