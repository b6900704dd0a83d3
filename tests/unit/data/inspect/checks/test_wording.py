"""Numbers and lists read well, and a list never hides how long it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.checks.wording import counted, listed, number, one_line, percent


def test_numbers_read_well():
    assert [percent(share) for share in (0, 1, 0.5, 0.0123, 0.0051, 1e-5)] == [
        *("0.0 %", "100.0 %", "50.0 %", "1.2 %", "0.51 %", "0.001 %")
    ]
    assert [number(value) for value in (0, 12345.6, 0.123456, -1000)] == ["0", "12,346", "0.1235", "-1,000"]


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
