"""Recipes as text: writes and reads TOML, and applies the assignments of ``--set``."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rarebird.core.checks import DataError, nearest
from rarebird.recipe.suggestions import suggestion
from rarebird.slots import methods


def toml_of(plain: Mapping[str, Any]) -> str:
    """Plain values as a TOML document: single values first, then a section for each table or list of tables."""
    scalars = {key: value for key, value in plain.items() if not isinstance(value, dict) and not _is_tables(value)}
    lines = [f"{key} = {_toml(value)}" for key, value in scalars.items()]
    for key, value in plain.items():
        for entry in [value] if isinstance(value, dict) else value if _is_tables(value) else []:
            lines += ["", f"[{key}]" if isinstance(value, dict) else f"[[{key}]]"]
            lines += [f"{name} = {_toml(setting)}" for name, setting in entry.items()]
    return "\n".join(lines) + "\n"


def plain_of(text: str, origin: str) -> dict[str, Any]:
    """A TOML document's values, not yet checked.

    Raises:
        DataError: The document is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{origin} is no valid TOML: {error}.") from None


def read_plain(path: Path) -> dict[str, Any]:
    """The values of a recipe file, not yet checked."""
    try:
        return plain_of(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The recipe {path} cannot be read: {error}.") from None


def assignments(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings from Python as the assignments of ``--set``.

    >>> assignments({"loss": "focal", "optimizer.learning_rate": 0.01})
    ('loss="focal"', 'optimizer.learning_rate=0.01')
    """
    return tuple(f"{key}={'none' if value is None else _toml(value)}" for key, value in settings.items())


def assigned(plain: dict[str, Any], settings: Sequence[str], valid: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's plain values with ``--set`` assignments applied in order; `valid` has the allowed keys.

    Raises:
        DataError: A setting is no assignment, or its key is unknown (the message has the nearest valid name).
    """
    plain = copy.deepcopy(plain)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise DataError(f"--set takes KEY=VALUE, but got {setting!r}.")
        _assign(plain, key.strip(), _parse_value(text.strip()), valid)
    return plain


def _assign(plain: dict[str, Any], key: str, value: Any, valid: Mapping[str, Any]) -> None:
    """Put `value` at the dotted `key`; a slot given by name alone starts from that method's defaults."""
    head, _, rest = key.partition(".")
    if head not in valid:
        raise DataError(f"The recipe has no key {head!r}; {suggestion(head, plain, valid)}")
    if not rest:
        listed = isinstance(plain.get(head), list) and not isinstance(value, list)
        plain[head] = ([] if value is None else [value]) if listed else value
        return
    first, _, tail = rest.partition(".")
    holder = plain.get(head)
    if isinstance(holder, list):
        # A method of a list is addressed by its place or by its name: augmentation.0.degrees,
        # augmentation.rotate.degrees.
        place = next((i for i, entry in enumerate(holder) if first in (str(i), _name(entry))), None)
        if place is None or not tail:
            known = [_name(entry) or str(i) for i, entry in enumerate(holder)]
            raise DataError(f"{key!r} addresses no entry of {head}; {nearest(first, known)}")
        holder[place] = {"name": holder[place]} if isinstance(holder[place], str) else dict(holder[place])
        _put(holder[place], tail, value)
        return
    if holder is None and (named := _only_method_with(head, first)) is not None:
        holder = named
    if isinstance(holder, str):
        holder = plain[head] = {"name": holder}
    if not isinstance(holder, dict):
        raise DataError(f"{head} holds no method, so {key!r} cannot be set; set {head}=NAME first.")
    _put(holder, rest, value)


def _only_method_with(slot: str, setting: str) -> str | None:
    """The method of an empty slot that a setting names, as ``transfer.file`` does: the only one that has it."""
    if slot not in methods.SLOTS:
        return None
    found = [name for name in methods.names(slot) if setting in methods.load(slot, name).model_fields]
    return found[0] if len(found) == 1 else None


def _put(holder: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at the dotted `key` of a method's settings: ``class_weight.猫`` changes the weight of one label."""
    head, _, rest = key.partition(".")
    inner = holder.get(head)
    if rest and isinstance(inner, dict | str):
        holder[head] = {"name": inner} if isinstance(inner, str) else dict(inner)
        _put(holder[head], rest, value)
    else:
        holder[key] = value


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else str(entry)


def _parse_value(text: str) -> Any:
    """The value of an assignment: TOML if it is valid; bare words are text, also within ``[a,b]`` and ``{a=b}``."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_parse_value(part.strip()) for part in _split_at_commas(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (part.partition("=" if "=" in part else ":") for part in _split_at_commas(text[1:-1]))
        return {key.strip().strip("\"'"): _parse_value(value.strip()) for key, _, value in pairs}
    if text.lower() in ("none", "null", ""):
        return None
    return text


def _split_at_commas(text: str) -> list[str]:
    """The parts between the commas that are outside of all brackets."""
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [part for part in [*parts, current] if part.strip()]


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_key(str(key))} = {_toml(entry)}" for key, entry in value.items() if entry is not None)
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}"
    return _text(value) if isinstance(value, str) else repr(value)


def _key(key: str) -> str:
    """A TOML key, without quotes where these are not needed."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(value: str) -> str:
    """A TOML basic string. JSON escapes everything that TOML requires, except DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
