"""Of several trials on a host that is short of memory the youngest goes first, and the next one once it has gone."""

from __future__ import annotations

import time

import pytest

from terrasweep.process import relief
from terrasweep.process.relief import Relief


@pytest.fixture
def watched(tmp_path):
    """Trials by their age, the oldest first; each with a watch of its own."""
    trials = [Relief(tmp_path / "relief", started_ns=time.monotonic_ns() + age) for age in range(3)]
    yield trials
    for trial in trials:
        trial.give_back()


def turns(trials, *, short=True):
    return [trial.is_my_turn(short=short) for trial in trials]


def test_the_youngest_goes_first_whoever_looks_first_and_the_next_one_once_it_has_gone(watched):
    oldest, middle, youngest = watched
    assert turns([oldest, middle, youngest]) == [False, False, True]
    assert turns([youngest, middle, oldest]) == [True, False, False]
    youngest.give_back()
    assert turns([oldest, middle]) == [False, True]
    middle.give_back()
    assert turns([oldest]) == [True]


def test_nobody_goes_where_there_is_memory(watched):
    assert turns(watched, short=False) == [False, False, False]


def test_the_youngest_whose_watch_stands_still_is_not_waited_for_for_ever(watched, monkeypatch):
    oldest, middle, _ = watched
    clock = [100.0]
    monkeypatch.setattr(relief.time, "monotonic", lambda: clock[0])
    assert turns([oldest, middle]) == [False, False]
    clock[0] += relief.PATIENCE_S / 2
    assert turns([oldest], short=False) == [False]
    clock[0] += relief.PATIENCE_S
    assert turns([oldest, middle]) == [False, True], "the oldest has waited anew since the shortage was over"
    clock[0] += relief.PATIENCE_S
    assert turns([oldest]) == [False], "one at a time"


def test_what_a_killed_process_left_is_no_trial_and_is_swept_up(tmp_path):
    folder = tmp_path / "relief"
    trial = Relief(folder, started_ns=5 * 10**9)
    for started in (time.monotonic_ns() - 10**12, time.monotonic_ns() + 10**15):
        (folder / f"{max(started, 6 * 10**9):020d}-1-1").touch()
    assert trial.is_my_turn(short=True)
    trial.give_back()
    assert [file.name for file in folder.iterdir()] == ["turn"]


def test_where_the_folder_can_not_be_had_each_looks_after_itself(tmp_path):
    (tmp_path / "relief").write_text("a file stands there")
    trials = [Relief(tmp_path / "relief") for _ in range(2)]
    assert turns(trials) == [True, True]
    for trial in trials:
        trial.give_back()
