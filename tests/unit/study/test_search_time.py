"""How long a study has searched: spans of its starts and trials, whatever overlaps, is killed or lost."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.search_time import STARTS, SearchTime, covered_seconds, searched_seconds

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def start_file(study, name, began, seconds):
    (study / STARTS).mkdir(exist_ok=True)
    (study / STARTS / f"{name}.json").write_text(json.dumps({"began": began.isoformat(), "seconds": seconds}))


def trial(begins, seconds):
    started = (NOON + timedelta(seconds=begins)).isoformat(timespec="seconds")
    measured = Measurements(wall_seconds=seconds)
    return TrialResult(number=0, state=State.COMPLETE, started=started, measurements=measured)


WHOLE_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12)


@given(WHOLE_SPANS)
def test_what_spans_cover_together_is_each_second_that_one_of_them_covers(drawn):
    seconds = {second for begin, length in drawn for second in range(begin, begin + length)}
    assert covered_seconds([(begin, begin + length) for begin, length in drawn]) == len(seconds)


def test_starts_count_together_and_what_lies_between_them_does_not(tmp_path):
    start_file(tmp_path, "1", NOON, 3600)
    start_file(tmp_path, "2", NOON + timedelta(minutes=30), 3600)  # Beside the first.
    start_file(tmp_path, "3", NOON + timedelta(hours=9), 60)
    assert searched_seconds(tmp_path, []) == 1.5 * 3600 + 60


def test_trials_make_up_for_a_start_that_is_lost_and_add_nothing_to_one_that_is_known(tmp_path):
    start_file(tmp_path, "1", NOON, 100)
    (tmp_path / STARTS / "2.json").write_text("{")
    inside, of_the_lost = trial(10, 50), trial(1000, 20)
    never_ran = TrialResult(number=3, state=State.FAILED, started=NOON.isoformat())
    undated = TrialResult(number=4, state=State.COMPLETE, measurements=Measurements(wall_seconds=9.0))
    assert searched_seconds(tmp_path, [inside, of_the_lost, never_ran, undated]) == 120


def test_a_start_that_is_killed_has_written_down_its_time_until_then(tmp_path):
    now = [50.0]
    running = SearchTime(tmp_path, clock=lambda: now[0], every_s=1e6)
    with running:
        now[0] = 80.0
        running.write_down()
        assert searched_seconds(tmp_path, []) == pytest.approx(30, abs=1e-3)
        now[0] = 90.0
    assert searched_seconds(tmp_path, []) == pytest.approx(40, abs=1e-3)
    assert len(list((tmp_path / STARTS).iterdir())) == 1, "a file per start, and no draft"


def test_it_is_written_down_again_and_again_by_itself(tmp_path):
    asked, thrice = [], threading.Event()

    def clock():
        asked.append(len(asked))
        if len(asked) == 4:
            thrice.set()
        return float(len(asked))

    with SearchTime(tmp_path, clock=clock, every_s=1e-3):
        assert thrice.wait(600)


def test_a_start_that_can_not_write_any_more_ends_as_it_would(tmp_path):
    now = [0.0]
    with pytest.raises(KeyError, match="own"), SearchTime(tmp_path, clock=lambda: now[0], every_s=1e6):
        for file in (tmp_path / STARTS).iterdir():
            file.unlink()
        (tmp_path / STARTS).rmdir()
        (tmp_path / STARTS).write_text("in the way")
        raise KeyError("its own")
