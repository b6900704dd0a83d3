"""Numbers count, words are sorted."""

from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.find.numbering import as_they_count, counted_up, numbered


@given(st.sets(st.integers(-50, 500)))
def test_numbers_count(numbers):
    assert counted_up({str(number) for number in numbers}) == [str(number) for number in sorted(numbers)]


@given(st.sets(st.text(min_size=1), max_size=6))
def test_names_that_are_not_all_numbers_are_sorted(names):
    assert counted_up(names | {"forest"}) == sorted(names | {"forest"})


def test_leading_zeros_and_fractions():
    assert counted_up(["10", "2.5", "02", "2"]) == ["02", "2", "2.5", "10"]
    assert counted_up(["class10", "class2"]) == ["class10", "class2"]


def test_the_order_of_a_study_of_an_earlier_version_stays():
    assert numbered(["1", "2", "10"]) == ["1", "2", "10"]
    assert numbered(["2", "1", "10"], ["1", "10", "2"]) == ["1", "10", "2"]
    assert numbered(["2", "1", "10"], ["water", "forest", "town"]) == ["1", "2", "10"]
    assert as_they_count(["1", "2"]) == "classes are numbered as their names count: 1, 2"


def test_numbers_within_names_count_where_it_is_asked_for():
    names = ["field 10", "field 9", "10", "9", "a"]
    assert counted_up(names, within=True) == ["9", "10", "a", "field 9", "field 10"]
    assert counted_up({"2", "02", "1"}, within=True) == ["1", "02", "2"]
