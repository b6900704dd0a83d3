"""Wrong settings of dates are one line each, with the way out."""

import pytest

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.data.frame_rules import find_bad_frames, find_misplaced_frames


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"frames": 0}, "data.frames=0: it must be at least 1"),
        ({"frames": 2, "frame_order": "time"}, "data.frame_order=time: unknown"),
        ({"frames": 2, "frames_for_one_date": "max"}, "data.frames_for_one_date=max: unknown; use refuse, mean, stack"),
        ({"frames": 2, "date_pattern": "("}, "data.date_pattern=(: it is no regular expression"),
        ({"frames": 2, "date_pattern": "(?P<place>.+)"}, "data.date_pattern=(?P<place>.+): it has no group named date"),
        (
            {"frames": 2, "date_pattern": r"(?P<date>\d+)"},
            r"data.date_pattern=(?P<date>\d+): it has no group named pla",
        ),
        ({"modalities": {"DEM": ModalityConfig(folder="d", frames=-1)}}, "data.modalities.DEM.frames=-1"),
    ],
)
def test_a_bad_value_is_a_line(settings, start):
    (line,) = find_bad_frames(DataConfig(name="x", **settings))
    assert line.startswith(start)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"frame_order": "files"}, "data.frame_order=files with data.frames=null"),
        ({"name": "synthetic", "frames": 3}, "data.frames=3 with data=synthetic"),
        ({"datamodule": "a.B", "frames": 3, "date_pattern": "x"}, "data.date_pattern=x with data=x"),
    ],
)
def test_what_does_not_go_with_the_data_is_a_line(settings, start):
    (line,) = find_misplaced_frames(DataConfig(**{"name": "x", **settings}))
    assert line.startswith(start)


def test_good_values_are_none():
    data = DataConfig(name="x", frames=3, frame_order="files", date_pattern=r"(?P<place>.+)_(?P<date>\d{8})")
    assert [*find_bad_frames(data), *find_misplaced_frames(data), *find_bad_frames(DataConfig(name="x"))] == []
