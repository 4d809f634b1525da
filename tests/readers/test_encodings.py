"""The encoding of a text file, by the letters that make words."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarebird.core.checks import DataError
from rarebird.readers.delimited import beginning
from rarebird.readers.encodings import decoded

TEXTS = {
    "cp1252": [
        "âge,größe,ville,target\n51.2,3567.8,Köln,fièvre\n48.0,1180.0,Málaga,santé\n",
        "age,size,ville\n1,2,Bonn\n3,4,Köln\n" + "5,6,Bonn\n" * 50,
        "Straße;ÄRZTE;Wert\nMünchener Str.;Übung;5 €\n",
        "naïve,coût,25 °C\nBesançon,Orléans,«très»\n",
        "señor,¿qué?,coração\nniño,1,2\n",
    ],
    "gb18030": [
        "名,n,target\n鸟,1.5,稀有\n猫,2,常见\n",
        "年龄,城市,诊断\n51,北京,发烧\n48,上海,健康\n",
        "X射线,A股,IgM抗体\n正常,阳性,阴性\n",
    ],
    "big5": ["年齡,城市,診斷\n51,臺北,發燒\n48,高雄,健康\n"],
    "shift_jis": ["年齢,都市,診断\n51,とうきょう,発熱\n48,オオサカ,健康\n"],
    "euc_kr": ["나이,도시,진단\n51,서울,발열\n48,부산,건강\n52,대구,발열\n33,인천,건강\n"],
    "euc_jp": ["年齢,都市,診断\n51,とうきょう,発熱\n48,オオサカ,健康\n"],
    "koi8_r": ["возраст,город,диагноз\n51,Москва,грипп\n48,Казань,здоров\n"],
    "cp866": ["возраст,город,диагноз\n51,Москва,грипп\n48,Казань,здоров\n"],
    "cp1253": ["ηλικία,πόλη,διάγνωση\n51,Αθήνα,γρίπη\n48,Πάτρα,υγιής\n"],
    "mac_roman": ["âge,größe,ville,target\n51.2,3567.8,Köln,fièvre\n48.0,1180.0,Málaga,santé\n"],
    "cp850": ["âge,größe,ville,target\n51.2,3567.8,Köln,fièvre\n48.0,1180.0,Málaga,santé\n"],
    "cp1251": ["возраст,город,диагноз\n51,Москва,грипп\n48,Казань,здоров\n"],
    "cp1250": ["wiek,miasto\n51,Łódź\n48,Gdańsk\n33,Wrocław\n12,Żółć\n"],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_each_encoding_is_told_from_the_others(encoding: str, text: str) -> None:
    found, named, notes = decoded(text.encode(encoding), Path("rows.csv"))
    assert (found, named) == (text, encoding)
    assert f"rows.csv is not UTF-8 and was read as {encoding.upper()}" in notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_needs_no_note(encoding: str) -> None:
    text = "age,ville,target\n51.2,Köln,ill\n48.0,Málaga,well\n"
    assert decoded(text.encode(encoding), Path("rows.csv"))[::2] == (text, [])


def test_the_encoding_of_the_training_file_comes_first() -> None:
    assert decoded("Łódź".encode("cp1250"), Path("rows.csv"), "cp1250") == ("Łódź", "cp1250", [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "cp1252"])
def test_the_beginning_of_a_long_file_ends_between_letters(encoding: str, tmp_path: Path) -> None:
    word = "Málaga" if encoding == "cp1252" else "鸟北京"
    (tmp_path / "t.csv").write_bytes((f"a,{word}\n" * 5000).encode(encoding))
    text = beginning(tmp_path / "t.csv", 4096)
    assert len(text) > 400
    assert set(text.splitlines()[:-1]) == {f"a,{word}"}


def test_damaged_utf8_is_named_and_not_taken_for_another_encoding() -> None:
    raw = ("ville\n" + "Köln\n" * 40 + "Málaga\n").encode() + b"B\xff\n"
    text, encoding, notes = decoded(raw, Path("rows.csv"))
    assert (encoding, text.count("\ufffd")) == ("utf-8", 1)
    assert "1 damaged place, the first in line 43" in notes[0]


@pytest.mark.parametrize("raw", [b"PK\x03\x04\x00\x00binary", b"a\n\xff\xff\x81\x98\n"])
def test_what_is_no_text(raw: bytes) -> None:
    with pytest.raises(DataError, match=r"rows\.csv is not (a text file|text in UTF-8)"):
        decoded(raw, Path("rows.csv"))
