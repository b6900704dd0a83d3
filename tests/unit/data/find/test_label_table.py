"""Tables of labels as spreadsheets and programs write them; what is not clear is refused with its line."""

import pytest

from terrasweep.data.find.label_table import assigned, classes_of_old, read_table
from terrasweep.data.find.sample_names import SampleNames
from terrasweep.results.errors import DataError

NAMES = {"a", "b", "c"}
RIVER_TOWN = {"a": [0], "b": [1], "c": [0]}


def is_name(cell):
    return cell.removesuffix(".tif") in NAMES


def read(tmp_path, text, task="classification", **more):
    file = tmp_path / "t.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(file, task, is_name=is_name, **more)


PLAIN = "name,class\na,river\nb,town\nc,river\n"
CLEAR = {
    "commas": (PLAIN, ""),
    "semicolons": (PLAIN.replace(",", ";"), "semicolons separate its cells"),
    "tabs": (PLAIN.replace(",", "\t"), "tabs separate its cells"),
    "blanks": (PLAIN.replace(",", " "), "blanks separate its cells"),
    "a byte-order mark": ("\ufeff" + PLAIN, ""),
    "a spreadsheet's Unicode text": (PLAIN.replace(",", "\t").encode("utf-16"), "tabs"),
    "Windows' line ends": (PLAIN.replace("\n", "\r\n"), ""),
    "no line end": (PLAIN.rstrip(), ""),
    "blank lines": (PLAIN.replace("\nb", "\n\n  \nb") + "\n\n", "1 line without anything"),
    "a last line of a comma": (PLAIN + ",\n", "1 line without anything in the cells left out (first line 5)"),
    "lines of commas": (PLAIN + ",,\n,,,\n", "2 lines without anything"),
    "no title": (PLAIN.partition("\n")[2], "its first line is no title: a is an image"),
    "no title, with endings": ("a.tif,river\nb.tif,town\nc.tif,river\n", "its first line is no title"),
    "an index": (",name,class\n0,a,river\n1,b,town\n2,c,river\n", "column 2 holds the names (name)"),
    "an index and no title": ("0,a,river\n1,b,town\n2,c,river\n", "column 2 holds the names"),
    "a repeated line": (PLAIN + "a,river\n", "1 line left out that say"),
    "more columns": ("name,class,area\na,river,1\nb,town,2\nc,river,3\n", ""),
    "the class further on": ("name,area,label\na,1,river\nb,2,town\nc,3,river\n", "column 3 holds the classes (label)"),
    "the class in front": ("class,file\nriver,a\ntown,b\nriver,c\n", "column 2 holds the names (file)"),
    "quotes": ('"name","class"\n"a","river"\n"b","town"\n"c","river"\n', ""),
    "blanks around": ("name , class\n a, river\nb ,town\nc,river \n", ""),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_what_is_clear_is_read_and_said(tmp_path, kind):
    text, told = CLEAR[kind]
    table = read(tmp_path, text)
    assert {name.removesuffix(".tif"): label for name, label in table.labels.items()} == RIVER_TOWN
    assert table.classes == ["river", "town"]
    assert told in " | ".join(table.notes)
    assert bool(told) is bool(table.notes)


UNCLEAR = {
    "nothing": ("", "it is empty; write a row of titles"),
    "commas alone": (",\n,\n", "it is empty"),
    "one column": ("name\na\nb\n", "each line has a single column"),
    "a line too short": (PLAIN + "d\n", "line 5: d has too few or too many columns (1, line 1 has 2)"),
    "a line too long": (PLAIN + "d,river,7\n", "line 5: d has too few or too many columns (3, line 1 has 2)"),
    "a comma in a class": ("name,class\na,river\nb,town, old\nc,river\n", "line 3: b has too few or too many columns"),
    "a class that lacks": (PLAIN + "d,\n", "line 5: there is no label; fill it in, or take the line out"),
    "a name that lacks": (PLAIN + ",river\n", "line 5: there is no name; fill it in"),
    "two classes for one image": (PLAIN + "\na,town\n", "a is in several rows, with other labels in lines 2 and 6"),
    "two columns of classes": (
        "name,area,label,class\na,1,x,river\nb,2,y,town\n",
        "line 1: label, class may each be the class; keep one",
    ),
    "no text": (b"\xff\x00\x81", "it can't be read as CSV"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_is_not_clear_is_refused_with_its_line(tmp_path, kind):
    text, told = UNCLEAR[kind]
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "; " in str(refused.value)


BITS = {
    "numbers": ("name,wet,dry\na,1,0\nb,0,1\n", ["wet", "dry"]),
    "truth": ("name,wet,dry\na,True,False\nb,False,True\n", ["wet", "dry"]),
    "fractions": ("name;wet;dry\na;1.0;0.0\nb;0.0;1.0\n", ["wet", "dry"]),
    "an index": (",name,wet,dry\n0,a,1,0\n1,b,0,1\n", ["wet", "dry"]),
    "no title": ("a,1,0\nb,0,1\n", ["0", "1"]),
}


@pytest.mark.parametrize("kind", BITS)
def test_a_column_per_class_is_read(tmp_path, kind):
    text, classes = BITS[kind]
    table = read(tmp_path, text, "multilabel")
    assert table.labels == {"a": [1, 0], "b": [0, 1]}
    assert table.classes == classes


@pytest.mark.parametrize("value", ["yes", "2", "0.5"])
def test_a_value_that_is_no_bit_is_refused_with_its_line(tmp_path, value):
    with pytest.raises(DataError, match=rf"line 3: b has a value that is neither 0 nor 1 \({value}\)"):
        read(tmp_path, f"name,wet\na,1\nb,{value}\n", "multilabel")


def test_classes_that_are_numbers_count_up(tmp_path):
    table = read(tmp_path, "name,class\na,10\nb,2\nc,1\n")
    assert table.classes == ["1", "2", "10"]
    assert table.labels == {"a": [2], "b": [1], "c": [0]}
    assert "classes are numbered as their names count: 1, 2, 10" in table.notes
    assert read(tmp_path, "name,class\na,10\nb,2\nc,1\n", given=["1", "10", "2"]).labels["a"] == [1]


SAMPLES = SampleNames((("train", n), [n, f"images/{n}.tif"]) for n in "abc")


def test_lines_about_no_image_are_counted(tmp_path):
    table = read(tmp_path, PLAIN + "x,river\ny,town\n")
    found = assigned(table, {"train": {name: f"{name}.tif" for name in "abc"}}, SAMPLES)
    assert found.labels == {f"train/{name}": label for name, label in RIVER_TOWN.items()}
    assert found.notes == ["2 lines about no image (first line 5: x)"]


def test_two_spellings_of_one_image_have_to_agree(tmp_path):
    files = {"train": {"a": "a.tif"}}
    assert assigned(read(tmp_path, "name,class\na,x\na.tif,x\n"), files, SAMPLES).labels["train/a"] == [0]
    with pytest.raises(DataError, match=r"lines 2 and 3: a and a\.tif are one image with other labels"):
        assigned(read(tmp_path, "name,class\na,x\na.tif,y\n"), files, SAMPLES)


def test_classes_as_earlier_versions_read_them(tmp_path):
    file = tmp_path / "t.csv"
    for text, classes in {
        PLAIN: ["river", "town"],
        PLAIN + ",\n": ["", "river", "town"],
        "name,class\na,10\nb,2\n": ["10", "2"],
        PLAIN.replace(",", ";"): [],
        "": [],
    }.items():
        file.write_text(text)
        assert classes_of_old(file, "classification") == classes
    file.write_text("name,wet,dry\na,1,0\n")
    assert classes_of_old(file, "multilabel") == ["wet", "dry"]
    assert classes_of_old(tmp_path / "nowhere.csv", "multilabel") == []
