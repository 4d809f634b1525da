"""A page for each slot, made at build time from the cards of its methods.

Cards are read by `ast` from the text of the files: nothing of the package is imported. The pages are not kept beside
the others, so that they cannot differ from the methods.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rarebird"
METHODS = SOURCE / "methods"
INDEX = "methods/index.md"
KINDS = {"image": "pictures", "table": "tables", "series": "series"}


class Setting(NamedTuple):
    """A field of a method: its default, the range that a search draws from, and what it is."""

    name: str
    default: str
    searched: str
    meaning: str


class Method(NamedTuple):
    """The card of a method, and its settings."""

    name: str
    card: str
    kinds: tuple[str, ...]
    settings: tuple[Setting, ...]

    @property
    def line(self) -> str:
        """The first sentence of its card."""
        return self.card.partition("\n")[0]


def on_config(config: Any) -> Any:
    """Put the pages of the slots below their index in the navigation."""
    for entry in config.nav:
        if entry == {"Methods": INDEX}:
            entry["Methods"] = [INDEX, *({_title(slot): f"methods/{slot}.md"} for slot in slots())]
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """Add the generated pages to those of the folder."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> dict[str, str]:
    """Path below `docs/` -> text, of each slot's page and of their index."""
    found = {f"methods/{slot}.md": slot_page(slot) for slot in slots()}
    rows = [f"| [{slot}]({slot}.md) | {slot_sentence(slot)} | {len(methods(slot))} |" for slot in slots()]
    head = (
        "# Methods\n\nA recipe has a slot for each choice of a training, and a method fills it. The slots are in the "
        "order in which they act on the data. `rarebird list` prints the same in a terminal, and "
        "`--set SLOT=METHOD` takes a method in `rarebird fit`.\n\n| slot | what it chooses | methods |\n|---|---|---|\n"
    )
    return {INDEX: head + "\n".join(rows) + "\n", **found}


@cache
def slots() -> tuple[str, ...]:
    """The slots in the order in which they act on the data, from `slots/methods.py`."""
    return tuple(_literal(_tree(SOURCE / "slots" / "methods.py"), "SLOTS"))


def slot_sentence(slot: str) -> str:
    """What a slot chooses, from the docstring of its folder."""
    text = (ast.get_docstring(_tree(METHODS / slot / "__init__.py")) or "").partition(": ")[2]
    return text[:1].upper() + text[1:]


@cache
def methods(slot: str) -> tuple[Method, ...]:
    """The methods of a slot, by name."""
    return tuple(_method(path) for path in sorted((METHODS / slot).glob("[!_]*.py")))


def slot_page(slot: str) -> str:
    """The page of a slot: a table of its methods, then the card and settings of each."""
    found = methods(slot)
    rows = [f"| [{one.name}](#{one.name}) | {_cell(one.line)} | {_kinds(one)} |" for one in found]
    table = "\n".join(["| method | what it does | for |", "|---|---|---|", *rows])
    parts = [_section(slot, one) for one in found]
    return f"# {_title(slot)}\n\n{slot_sentence(slot)}\n\n{table}\n\n" + "\n\n".join(parts) + "\n"


def _title(slot: str) -> str:
    return slot.replace("_", " ").capitalize()


def _section(slot: str, method: Method) -> str:
    # The source's own lists and marks are Markdown already; "NOTE[DIFF]" is the house's mark for a departure.
    card = re.sub(r"NOTE(\[DIFF\])?: ", "*Differs from the paper:* ", method.card)
    card = re.sub(r"^(\*?Cost:\*?) ", "*Cost:* ", card, flags=re.MULTILINE)
    card = re.sub(r"(?<!\n)\n(?=\*(?:Helps|Does not|Cost))", "\n\n", card)
    use = f"For {_kinds(method)}. `--set {slot}={method.name}`"
    lines = [f"## {method.name} {{#{method.name}}}", "", card, "", use]
    if method.settings:
        lines += ["", "| setting | default | searched | meaning |", "|---|---|---|---|"]
        lines += [f"| `{s.name}` | {s.default} | {s.searched} | {_cell(s.meaning)} |" for s in method.settings]
    return "\n".join(lines)


def _method(path: Path) -> Method:
    tree = _tree(path)
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    return Method(
        path.stem,
        ast.get_docstring(tree) or "",
        tuple(_literal(tree, "KINDS")),
        tuple(_settings(path, name).values()),
    )


def _settings(path: Path, name: str) -> dict[str, Setting]:
    """Field -> setting of a class, those of its bases first."""
    tree = _tree(path)
    found: dict[str, Setting] = {}
    node = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)
    if node is None:
        return found
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id != "Method":
            found |= _settings(_home(tree, base.id) or path, base.id)
    meanings = _meanings(ast.get_docstring(node) or "")
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            named = field.target.id
            if not ast.unparse(field.annotation).startswith("ClassVar"):
                searched = _searched(field.annotation)
                found[named] = Setting(named, _default(field.value), searched, "")
    return {name: one._replace(meaning=meanings.get(name, one.meaning)) for name, one in found.items()}


def _home(tree: ast.Module, name: str) -> Path | None:
    """The file of the package that a name is imported from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and name in [one.name for one in node.names]:
            path = SOURCE.parent / Path(*node.module.split(".")).with_suffix(".py")
            return path if path.is_file() else None
    return None


def _meanings(docstring: str) -> dict[str, str]:
    """Field -> meaning, from the section `Attributes` of a class."""
    text = docstring.partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?= {4}\S)", "\n" + text):
        names, colon, meaning = entry.strip().partition(": ")
        if colon:
            found |= {name.strip(): " ".join(meaning.split()) for name in names.split(",")}
    return found


def _default(value: ast.expr | None) -> str:
    if isinstance(value, ast.Call):  # Field(default=..., ge=...)
        given = [one.value for one in value.keywords if one.arg == "default"]
        value = given[0] if given else (value.args[0] if value.args else None)
    return "must be given" if value is None else "none" if _is_none(value) else f"`{ast.unparse(value)}`"


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _searched(annotation: ast.expr) -> str:
    """The range in words, from the mark in ``Annotated[float, Float(0, 5)]``."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Float", "Int"):
            low, high = (ast.unparse(one) for one in node.args[:2])
            log = any(one.arg == "log" for one in node.keywords)
            return f"{low} to {high}{', logarithmic' if log else ''}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Choice":
            return ", ".join(f"`{ast.unparse(one)}`" for one in node.args)
    return "–"


def _kinds(method: Method) -> str:
    return ", ".join(KINDS[kind] for kind in method.kinds)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _literal(tree: ast.Module, name: str) -> Iterator[Any]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            yield from ast.literal_eval(node.value)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
