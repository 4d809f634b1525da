"""The ``__init__.pyi`` of the public packages of methods, for editors and type checkers: ``make faces`` writes them."""

from __future__ import annotations

import inspect
import json
import textwrap
from importlib import import_module
from pathlib import Path

from rarebird.slots import methods
from rarebird.slots.faces import Face, settings

ROOT = Path(__file__).resolve().parents[1] / "src"
PACKAGES = ("sampling", "losses", "augment", "decide")
IMPORTS = """\
# Written by `make faces`.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

"""


def face(package: str) -> Face:
    """The face of one public package."""
    found: Face = import_module(f"rarebird.{package}").FACE
    return found


def path_of(package: str) -> Path:
    """The file of a package's stub."""
    return ROOT / "rarebird" / package / "__init__.pyi"


def stub(package: str) -> str:
    """The text of a package's stub."""
    of, classes, bases = face(package), [], {}
    for name, (slot, method) in of.names.items():
        made = of.look_up(name)
        base = made.__mro__[1]
        bases[base.__name__] = base.__module__
        classes.append(_class(name, made, base.__name__, slot, method))
    lines = [f"from {module} import {name}" for name, module in sorted(bases.items())]
    lines += [f"from {of.package}.{module} import {name} as {name}" for name, module in sorted(of.own.items())]
    every = f"__all__ = {json.dumps(of.everything)}\n"
    return "\n".join([IMPORTS + "\n".join(lines), "", every, *classes])


def _class(name: str, made: type, base: str, slot: str, method: str) -> str:
    types = {one.name: one.type for one in settings(methods.load(slot, method))}
    given = list(inspect.signature(made.__init__).parameters.values())[1:]  # type: ignore[misc]
    parts = ["self"]
    for one in given:
        if one.kind is one.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        annotation = types.get(one.name) or (one.annotation if isinstance(one.annotation, str) else "Any")
        parts.append(f"{one.name}: {annotation}" + ("" if one.default is one.empty else f" = {_default(one.default)}"))
    # The first line and the parameters; the whole card is shown by `help`.
    card, _, parameters = (made.__doc__ or "").partition("\nArgs:")
    document = textwrap.indent(f"{card.splitlines()[0]}\n\nArgs:{parameters}", "    ")
    quotes = '"""'
    signature = "".join(f"        {part},\n" for part in parts)
    return (
        f"class {name}({base}):\n    r{quotes}{document.strip()}\n    {quotes}\n\n"
        f"    def __init__(\n{signature}    ) -> None: ...\n"
    )


def _default(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float | bool | None) else "..."


if __name__ == "__main__":
    for one in PACKAGES:
        path_of(one).write_text(stub(one), encoding="utf-8")
