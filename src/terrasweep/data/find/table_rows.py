"""The rows of a table of text, however its cells are separated. Imports no torch."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from terrasweep.results.errors import DataError, raise_out_of_memory
from terrasweep.results.wording import counted

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "blanks"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table that holds something."""

    line: int
    """From 1."""
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All of a table; each row has the same number of cells, and at least two."""

    rows: list[Row]
    notes: list[str]
    """What was understood that doesn't go without saying."""

    def column(self, index: int) -> list[str]:
        """The cells of a column, that of the first line included."""
        return [row.cells[index] for row in self.rows]


def read_rows(file: Path, place: str) -> Rows:
    """Read a table in UTF-8, with or without a byte-order mark, or in UTF-16 with one.

    Commas, semicolons or tabs separate its cells, or a single blank two: what gives every line the same number. Lines
    without anything in their cells are left out.

    Args:
        file: The table.
        place: What an error says first.

    Raises:
        DataError: It can't be read, or a line has more or fewer cells than the first.
    """
    try:
        content = file.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
        by_separator = {",": _parsed(text, ",")}
        if not _is_even(by_separator[","]):
            by_separator |= {separator: _parsed(text, separator) for separator in SEPARATORS if separator != ","}
    except (OSError, ValueError, csv.Error) as error:
        raise_out_of_memory(error)
        raise DataError(
            f"{place}: it can't be read as CSV with a row of titles: {error}; save it as CSV in UTF-8"
        ) from error
    if all(is_blank for _, is_blank in by_separator[","]):
        raise DataError(f"{place}: it is empty; write a row of titles and a line per image")
    even = [s for s, found in by_separator.items() if _is_even(found) and (s != " " or not _others(text))]
    if not even:
        raise DataError(f"{place}: {_first_odd_line(by_separator)}")
    separator = even[0]
    rows = [row for row, is_blank in by_separator[separator] if not is_blank]
    empty = [row.line for row, is_blank in by_separator[separator] if is_blank and row.cells]
    notes = [] if separator == "," else [f"{SEPARATORS[separator]} separate its cells"]
    if empty:
        notes.append(f"{counted(len(empty), 'line')} without anything in the cells left out (first line {empty[0]})")
    return Rows(rows=rows, notes=notes)


def _parsed(text: str, separator: str) -> list[tuple[Row, bool]]:
    """Each line, and whether there is nothing in its cells."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=False)
    parsed = []
    for cells in reader:
        stripped = tuple(cell.strip() for cell in cells)
        parsed.append((Row(line=reader.line_num, cells=stripped), not any(stripped)))
    return parsed


def _is_even(parsed: list[tuple[Row, bool]]) -> bool:
    widths = {len(row.cells) for row, is_blank in parsed if not is_blank}
    return len(widths) == 1 and widths != {1}


def _others(text: str) -> bool:
    return any(separator in text for separator in SEPARATORS if separator != " ")


def _first_odd_line(by_separator: dict[str, list[tuple[Row, bool]]]) -> str:
    """Where the separator that most lines agree on gives another number of cells."""
    most, told = 0, "each line has a single column; separate the image's name and its label by a comma"
    for separator in (",", ";", "\t"):
        rows = [row for row, is_blank in by_separator[separator] if not is_blank]
        widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
        width, lines = widths.most_common(1)[0] if widths else (0, 0)
        if lines > most:
            odd, first = (next(row for row in rows if (len(row.cells) == width) is same) for same in (False, True))
            most = lines
            told = (
                f"line {odd.line}: {odd.cells[0]} has too few or too many columns ({len(odd.cells)}, line {first.line} "
                f"has {width}); separate them by {SEPARATORS[separator]}, and put cells that hold such into quotes"
            )
    return told
