"""Dates are read as people write them, and what is no date stays a number."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.data import DataConfig
from terrasweep.data.find.dates import dates_in, dates_of_tags, places, read_name, without_dates

DAYS = st.dates(min_value=date(1972, 7, 23), max_value=date(2099, 12, 31))


@given(DAYS, st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y%j"]))
def test_a_date_is_found_however_it_is_written_and_taken_out_of_the_name(day, form):
    for name in (f"field7_{day:{form}}", f"{day:{form}}_field7", f"field7_{day:{form}}_S2"):
        assert dates_in(name) == [day]
        assert without_dates(name) == ("field7_S2" if name.endswith("S2") else "field7")


@pytest.mark.parametrize(
    "text", ["20241301", "20240230", "1234567890", "tile_2024", "20230366", "120240101", "2024-01_01"]
)
def test_what_is_no_date_is_none(text):
    assert dates_in(text) == []
    assert without_dates(text) == text


def test_names_of_satellite_products():
    assert dates_in("HLS.S30.T17RLP.2020186T160831.v2.0.B02") == [date(2020, 7, 4)]
    assert without_dates("HLS.S30.T17RLP.2020186T160831.v2.0.B02") == "HLS.S30.T17RLP.v2.0.B02"
    read = read_name("S2A_MSIL2A_20200101T101411_R022_T32UQD_20200103T112233.tif", None)
    assert (read.taken, read.place) == ("2020-01-01", "S2A_MSIL2A_R022_T32UQD.tif")


def test_a_pattern_says_what_is_place_and_what_is_date():
    read = read_name("x1.20240131-a.tif", r"(?P<place>.+)\.(?P<date>\d{8})-\w")
    assert (read.place, read.taken) == ("x1.tif", "2024-01-31")
    numbered = [read_name(f"x1_{number}.tif", r"(?P<place>.+)_(?P<frame>\d+)") for number in (10, 9)]
    assert {read.place for read in numbered} == {"x1.tif"}
    assert numbered[0].order > numbered[1].order
    assert read_name("mask.tif", r"(?P<place>.+)_(?P<frame>\d+)").place == "mask.tif"


def test_folders_stay_as_they_are():
    assert read_name("2023/20240131/a_20240201.tif", None).place == "2023/20240131/a.tif"
    assert read_name("x/a_1.tif", r"(?P<place>.+)_(?P<frame>\d+)").place == "x/a.tif"


def test_names_are_brought_together_only_where_a_date_may_be_a_file():
    names = ["a_20240101.tif", "a_20240201.tif", "b_20240101.tif"]
    assert places(names, DataConfig(frames=2)) == ["a.tif", "b.tif"]
    for data in (DataConfig(), DataConfig(frames=1), DataConfig(frames=2, frame_order="date_major")):
        assert places(names, data) == names


def test_tags_tell_dates_the_surest_first():
    tags = (("TIFFTAG_DATETIME", "2025:02:03 10:11:12"), ("ACQUISITION_DATE", "2024-01-31"))
    assert dates_of_tags(tags, 1) == [date(2024, 1, 31)]
    assert dates_of_tags(tags[:1], 1) == [date(2025, 2, 3)]
    assert dates_of_tags(tags, 2) == []
    assert dates_of_tags((("SOFTWARE", "made on 20240101"),), 1) == []
