"""Changes of files for `fuzz.py`: blind ones of bytes and text, and ones inside containers, past their checksums."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from seed_files import FILES

NUMBERS = (
    *("0", "-0", "1e308", "-1e308", "1e309", "nan", "inf", "-inf", "1e-315", "1e200", "99999999999999999999", "-1"),
    *("", " ", "0x10", "1_000", "1,5", "1e", "٣", "+1", "4294967296", "9223372036854775808", "2147483647", "1.5.2"),
)
TEXTS = (
    *("\x1b[31mred", "=1+1", "a\0b", "ö", "ö", '"', "\n", "\r", "\t", ",", ";", "\ufeff", "\u202e", "a" * 5_000),
    *("None", "nan", "True", "[1, 2]", "{}", "\ud800", "__proto__", "../../x", "2020-02-30", "1970-01-01T00:00Z"),
)
INTEGERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 1e308, -1e308, 2**31, 2**63, 10**30, 0.5, "", "x", "mlp", "../x", [], {}),
    *([0], [[]], {"a": 1}, ["a"] * 3, "\x1b[31m", "nan", 1e-320),
)


def changed(kind: str, seeds: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A changed copy of the file or folder of a kind.

    Args:
        kind: A key of `FILES`.
        seeds: Folder with the unchanged files.
        folder: Where the copy is written.
        rng: Decides the change.
    """
    source = seeds / FILES[kind]
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        for path in rng.choice(np.array(files, dtype=object), int(rng.integers(1, 3))):
            path.write_bytes(_bytes(path, rng))
        return target
    target.write_bytes(_bytes(source, rng))
    return target


def _bytes(path: Path, rng: np.random.Generator) -> bytes:
    """A file's changed content."""
    raw = path.read_bytes()
    blind = rng.random() < 0.3
    for _ in range(int(rng.choice([1, 1, 1, 2, 5]))):
        if not blind and path.suffix in (".npz", ".xlsx"):
            raw = _archive(raw, rng)
        elif not blind and path.suffix == ".gz":
            raw = _packed(raw, rng)
        elif not blind and path.suffix == ".json":
            raw = _json(raw, rng)
        elif not blind and path.suffix == ".safetensors":
            raw = _tensors(raw, rng)
        elif not blind and path.suffix in (".csv", ".tsv", ".ts", ".txt", ".jsonl"):
            raw = _text(raw, rng)
        else:
            raw = _blind(raw, rng)
    return raw


def _blind(raw: bytes, rng: np.random.Generator) -> bytes:
    """Flipped, replaced, cut, doubled or inserted bytes."""
    data = bytearray(raw)
    at, size = int(rng.integers(0, max(len(data), 1))), int(rng.integers(1, 64))
    match int(rng.integers(0, 7)):
        case 0:
            for place in rng.integers(0, max(len(data), 1), int(rng.integers(1, 8))) if data else ():
                data[place] ^= 1 << int(rng.integers(0, 8))
        case 1:
            width = int(rng.choice([1, 2, 4, 8]))
            value = int(INTEGERS[rng.integers(len(INTEGERS))]) % 256**width
            data[at : at + width] = value.to_bytes(width, "little" if rng.random() < 0.7 else "big")
        case 2:
            del data[at:]
        case 3:
            del data[at : at + size]
        case 4:
            data[at:at] = data[at : at + size] * int(rng.integers(1, 4))
        case 5:
            data[at:at] = rng.bytes(size)
        case _:
            other = int(rng.integers(0, max(len(data), 1)))
            data[at : at + size] = data[other : other + size]
    return bytes(data)


def _text(raw: bytes, rng: np.random.Generator) -> bytes:
    """A number, a cell or a line of text that becomes an odd one."""
    text = raw.decode("utf-8", errors="surrogateescape")
    found = list(re.finditer(r"-?\d+(?:\.\d+)?" if rng.random() < 0.6 else r"[^,\t:\n =]+", text))
    choice = int(rng.integers(0, 4))
    if choice == 3:
        lines = text.split("\n")
        place = int(rng.integers(len(lines)))
        lines[place : place + 1] = [lines[int(rng.integers(len(lines)))]] * int(rng.integers(0, 3))
        text = "\n".join(lines)
    elif found:
        match = found[int(rng.integers(len(found)))]
        words = NUMBERS if choice < 2 else TEXTS
        text = text[: match.start()] + words[int(rng.integers(len(words)))] + text[match.end() :]
    return text.encode("utf-8", errors="surrogatepass")


def _archive(raw: bytes, rng: np.random.Generator) -> bytes:
    """An archive with a changed array, header or name, and with right checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # changed before
        return _blind(raw, rng)
    place = int(rng.integers(len(members)))
    name, content = members[place]
    if rng.random() < 0.2:
        name = str(rng.choice(["X", "y.npy", "X.npy", "train_labels.npy", "groups.npy", "../x.npy", name.upper()]))
    elif rng.random() < 0.6 and content[:6] == b"\x93NUMPY":
        content = _header(content, rng)
    elif rng.random() < 0.7 and name.endswith(".xml"):
        content = _text(content, rng)
    else:
        content = _blind(content, rng)
    members[place] = (name, content)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two members of one name are meant
        for name, content in members:
            archive.writestr(name or "x", content)
    return out.getvalue()


def _packed(raw: bytes, rng: np.random.Generator) -> bytes:
    """Compressed text that is changed, with a right checksum."""
    try:
        return gzip.compress(_text(gzip.decompress(raw), rng))
    except Exception:  # changed before
        return _blind(raw, rng)


def _header(content: bytes, rng: np.random.Generator) -> bytes:
    """An array whose header declares another type or shape."""
    size = int.from_bytes(content[8:10], "little")
    header, body = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    shapes = ("(1000000000000,)", "(1000000000000, 0)", "(-1,)", "()", "(0,)", "(20, 2, 2)", "(5, 4, 4)", "(2, 40)")
    types = (
        "'<U0'",
        "'<U1'",
        "'|S8'",
        "'|O'",
        "'<f2'",
        "'<c8'",
        "'<M8[ns]'",
        "'|b1'",
        "'>i8'",
        "'|V8'",
        "[('a', '<f8')]",
    )
    if rng.random() < 0.5:
        header = re.sub(r"\([^)]*\)", str(rng.choice(shapes)), header, count=1)
    if rng.random() < 0.5:
        header = re.sub(r"'[<>|][a-zA-Z]\d+'", str(rng.choice(types)), header, count=1)
    header = header.rstrip() + " " * max(0, size - 1 - len(header.rstrip())) + "\n"
    return content[:8] + len(header).to_bytes(2, "little") + header.encode("latin-1") + body


def _json(raw: bytes, rng: np.random.Generator) -> bytes:
    """JSON with a value that became an odd one, is gone, or has moved."""
    try:
        plain = json.loads(raw)
    except ValueError:  # changed before
        return _blind(raw, rng)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, inner in items:
            places.append((value, key))
            if isinstance(inner, dict | list):
                walk(inner)

    walk(plain)
    if places:
        holder, key = places[int(rng.integers(len(places)))]
        if rng.random() < 0.15:
            del holder[key]
        elif rng.random() < 0.2:
            other, from_key = places[int(rng.integers(len(places)))]
            holder[key] = json.loads(json.dumps(other[from_key]))
        else:
            holder[key] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    return json.dumps(plain).encode()


def _tensors(raw: bytes, rng: np.random.Generator) -> bytes:
    """A safetensors file whose header or whose numbers are changed."""
    size = int.from_bytes(raw[:8], "little")
    if not 0 < size < len(raw):
        return _blind(raw, rng)
    header, body = raw[8 : 8 + size], raw[8 + size :]
    if rng.random() < 0.5:
        header = _json(header, rng)
        return len(header).to_bytes(8, "little") + header + body
    return raw[: 8 + size] + _blind(body, rng)[: len(body)].ljust(len(body), b"\0")
