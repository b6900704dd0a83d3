"""Numbers read the same in a table, a message and a figure."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.wording import (
    ABSENT,
    aligned,
    counted,
    duration,
    half_width,
    listed,
    narrow,
    narrow_bytes,
    nearest,
    one_line,
    paragraph,
    percent,
    rounded,
    significant,
    two_digits,
    whole_percent,
    with_decimals,
    with_error,
    with_unit,
)
from tests.composing import ROOT

PACKAGE = ROOT / "src" / "terrasweep"
ROUND_BY_THEMSELVES = {
    "cli/sweep_script.py": "a trial's numbers, to be read by a program",
    "data/inspect/checks/case.py": "a value to be typed back",
    "data/inspect/checks/images.py": "a shift with its sign",
    "data/inspect/checks/labels.py": "a shift with its sign",
    "data/inspect/pictures/tile_map.py": "places on the ground, and a path",
    "data/views/reading_rules/ground.py": "a shift in pixels",
    "data/views/reading_rules/pixel_sizes.py": "a value to be typed back",
    "data/views/reading_rules/scales.py": "a value to be typed back",
    "export/parent.py": "accuracies to be compared, and how near two outputs are",
    "machine/process_identity.py": "a time that names a process",
    "report/data_page.py": "a path",
    "study/ranges.py": "a count as a power of ten",
    "trial/trained_again.py": "accuracies to be compared",
}
"""Modules that give a number's digits where they write it, and what it is."""


def test_no_other_module_gives_a_number_its_digits():
    rounding = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            spec = ast.unparse(node.format_spec) if isinstance(node, ast.FormattedValue) and node.format_spec else ""
            if re.search(r"\.\d*[efg%]|%'", spec):
                rounding.add(str(file.relative_to(PACKAGE)))
    assert rounding - {"results/wording.py"} == ROUND_BY_THEMSELVES.keys()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.83124, "0.8312"), (12345.6, "12,346"), (41.2, "41.2"), (0.0, "0"), (1203457, "1,203,457")),
        *((2.5e-7, "2.5e-07"), (-1000, "-1,000"), (0.123456, "0.1235"), (12, "12"), (None, ABSENT)),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert rounded(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.8, "0.8000"), (41.2, "41.20"), (12345.6, "12,346"), (0.0, "0")])
def test_a_column_s_digits_stand_below_each_other(value, text):
    assert aligned(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123456, "", "0.1235"),
        (1234.4, "MiB", "1,234 MiB"),
        (123456789.0, "bytes", "123,456,789 bytes"),
        (81.26, "samples/s", "81.26 samples/s"),
        (None, "MiB", ABSENT),
    ],
)
def test_a_value_stands_before_its_unit(value, unit, text):
    assert with_unit(value, unit) == text


def test_shares_are_percent():
    assert [percent(share) for share in (0, 1, 0.5, 0.0123, 0.0051, 1e-5, 9.99, 11, 123.4)] == [
        *("0.0 %", "100.0 %", "50.0 %", "1.2 %", "0.51 %", "0.001 %", "999.0 %", "1,100 %", "12,340 %")
    ]


@given(st.floats(0, 99_999))
def test_a_narrow_number_has_five_characters_at_most_and_three_digits_right(value):
    text = narrow(value)
    assert len(text) <= 5 or value >= 99_999.5
    assert abs(float(text) - value) <= max(0.005, 0.005 * value)


def test_bytes_are_mib_and_from_one_on_gib():
    assert [narrow_bytes(size) for size in (2**20, 2**30 - 2**25, 2**30, 24 * 2**30)] == [
        *("1.00 MiB", "992 MiB", "1.00 GiB", "24.0 GiB")
    ]


def test_a_misspelt_name_is_answered_with_its_neighbour_or_with_all():
    assert nearest("acuracy", ["accuracy", "energy_joules"]) == "did you mean accuracy?"
    assert nearest("?", ["b", "a"]) == "there are: a, b"


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [(1, "image", "1 image"), (0, "image", "0 images"), (2, "class", "2 classes"), (12_345, "pixel", "12,345 pixels")],
)
def test_nouns_follow_their_number(count, noun, text):
    assert counted(count, noun) == text


@given(st.lists(st.integers(0, 99), max_size=12), st.integers(1, 5))
def test_a_list_names_so_many_and_counts_every_other(things, named):
    shown, _, more = listed(things, named).partition(" and ")
    names = shown.split(", ") if shown else []
    assert names == [str(thing) for thing in things[:named]]
    assert len(names) + int(more.removesuffix(" more") or 0) == len(things)


@given(st.text())
def test_a_text_of_a_library_becomes_one_line(text):
    assert len(one_line(text).splitlines()) <= 1
    assert one_line(text).split() == text.split()


@given(st.integers(0, 10**7))
def test_a_duration_says_all_its_seconds(seconds):
    days, _, clock = duration(seconds).rpartition(" ")
    hours, minutes, rest = map(int, clock.split(":"))
    assert (int(days.split()[0]) if days else 0) * 86400 + hours * 3600 + minutes * 60 + rest == seconds
    assert hours < 24


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.71234, 0.708, 0.7162, "0.7123 ± 0.0041 mm"),
        (212.34, 208.0, 216.4, "212.3 ± 4.2 mm"),
        (3120.4, 3100.0, 3140.0, "3,120 ± 20 mm"),
        (3120.4, 1120.0, 5120.0, "3,120 ± 2,000 mm"),
        (0.5, None, None, "0.5 mm"),
        (0.5, 0.5, 0.5, "0.5 mm"),
        (None, 1.0, 2.0, ABSENT),
    ],
)
def test_an_error_is_half_an_interval_in_two_digits(value, low, high, text):
    assert with_error(value, low, high, "mm") == text
    assert with_error(value, low, high) == text.removesuffix(" mm")


def test_digits_are_counted_behind_the_point_or_from_the_first():
    assert [with_decimals(3.2, 2), with_decimals(1234.56, 1), with_decimals(95.0, 0)] == ["3.20", "1234.6", "95"]
    assert [significant(value, 2) for value in (0.03216, 32.16, 3.0)] == ["0.032", "32", "3"]
    assert [two_digits(value) for value in (0.03216, 32.16, 99.4, 99.5, 3216.0)] == [
        "0.032",
        "32",
        "99",
        "100",
        "3,216",
    ]
    assert [whole_percent(share) for share in (0.0, 0.124, 1.0)] == ["0%", "12%", "100%"]


@pytest.mark.parametrize(
    ("half", "text"),
    [(0.0041, "0.0041"), (4.16, "4.2"), (9.96, "10"), (0.01, "0.010"), (12.4, "12"), (1e-9, "1.0e-09")],
)
def test_half_widths(half, text):
    assert half_width(-half, half) == text


def test_no_line_ends_between_a_number_and_its_unit():
    text = "It takes 0.26 GiB of 24 GiB, 12 % of them, in tiles of 224 px, and 3 of 4 fit."
    for width in range(12, len(text) + 1):
        lines = paragraph(text, width).splitlines()
        assert max(map(len, lines)) <= width
        assert " ".join(lines) == text
        assert not any(line.startswith(("GiB", "%", "px")) for line in lines)
