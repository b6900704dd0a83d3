"""Rows know their lines, whatever separates the cells."""

import errno
from pathlib import Path

import pytest

from terrasweep.data.find.table_rows import read_rows
from terrasweep.results.errors import DataError, HostOutOfMemory


def rows(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, newline="")
    found = read_rows(tmp_path / "t.csv", "table")
    return [(row.line, *row.cells) for row in found.rows], found


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_lines_are_counted_as_an_editor_does(tmp_path, separator):
    text = '\nname,class\r\n\r\n"a, or ""A""", x \n,\nb,y\n'.replace(",", separator).replace(f"a{separator}", "a,")
    found, table = rows(tmp_path, text)
    assert found == [(2, "name", "class"), (4, 'a, or "A"', "x"), (6, "b", "y")]
    assert "1 line without anything in the cells left out (first line 5)" in table.notes
    assert table.column(1) == ["class", "x", "y"]


def test_a_cell_may_hold_lines(tmp_path):
    assert rows(tmp_path, 'a,"x\ny"\nb,z\n')[0] == [(2, "a", "x\ny"), (3, "b", "z")]


def test_commas_come_first(tmp_path):
    found, table = rows(tmp_path, "a;b,x\nc;d,y\n")
    assert found == [(1, "a;b", "x"), (2, "c;d", "y")]
    assert table.notes == []


def test_names_with_blanks_are_not_cut(tmp_path):
    assert rows(tmp_path, "a b,x\nc d,y\n")[0] == [(1, "a b", "x"), (2, "c d", "y")]
    with pytest.raises(DataError, match="single column"):
        rows(tmp_path, "a b\nc\n")


def test_a_line_with_more_cells_is_named_with_the_separator_that_most_lines_have(tmp_path):
    with pytest.raises(
        DataError, match=r"^table: line 3: c has too few or too many columns \(3, line 1 has 2\); .*semicolons"
    ):
        rows(tmp_path, "a;x,1\nb;y\nc;z;1\nd;w\n")


def test_memory_that_is_exhausted_is_no_fault_of_the_table(tmp_path, monkeypatch):
    def exhausted(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(Path, "read_bytes", exhausted)
    with pytest.raises(HostOutOfMemory):
        read_rows(tmp_path / "t.csv", "table")


def test_what_is_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"table: it can't be read as CSV.*; save it as CSV in UTF-8"):
        read_rows(tmp_path, "table")
