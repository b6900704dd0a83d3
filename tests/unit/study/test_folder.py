"""A study's folder beside other processes that start at the same moment."""

import dataclasses
import itertools
import os
import subprocess
import sys
import threading

import pytest

from terrasweep.results.comparison import compare
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import folder as module
from terrasweep.study.folder import StudyFolder, open_existing
from tests.studies import study_record
from tests.unit.report.sample_study import study

RECORD = dataclasses.replace(study()[0], reference={})

OPEN = (
    "import sys; from pathlib import Path; from terrasweep.study.folder import StudyFolder; "
    "from terrasweep.results.study_record import StudyRecord; folder = StudyFolder(Path(sys.argv[1])); "
    "record = StudyRecord.from_json(sys.stdin.readline()); print('ready', flush=True); sys.stdin.readline(); "
    "folder.open(record); print(folder.known.started)"
)


def test_processes_that_start_at_once_agree_on_which_study_it_is(tmp_path):
    command = [sys.executable, "-c", OPEN, str(tmp_path / "s")]
    starting = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(4)
    ]
    for number, process in enumerate(starting):
        record = dataclasses.replace(RECORD, started=f"2026-01-01T00:00:0{number}.000+00:00")
        process.stdin.write(" ".join(record.to_json().splitlines()) + "\n")
    assert {process.stdout.readline() for process in starting} == {"ready\n"}
    seen = {process.communicate("go\n", timeout=60)[0].strip() for process in starting}
    assert seen == {StudyRecord.from_json((tmp_path / "s" / "study.json").read_text()).started}


def test_a_process_that_joins_keeps_the_hypervolume_s_reference(tmp_path):
    reference = {"accuracy": (0.1, 0.5)}
    joining = StudyFolder(tmp_path)
    seen = joining.record() or RECORD  # Before another process started the study and fixed its reference.
    StudyFolder(tmp_path).open(dataclasses.replace(RECORD, reference=reference))
    joining.open(dataclasses.replace(seen, n_trials=99))
    stored = StudyFolder(tmp_path).record()
    assert (stored.reference, stored.n_trials) == (reference, 99)
    assert joining.known == stored


def test_a_refused_study_s_folder_goes_without_that_of_another_study(tmp_path):
    path = tmp_path / "results" / "s"
    with pytest.raises(InvalidConfig), StudyFolder(path).taken_up():
        StudyFolder(path.parent / "t").open(RECORD)
        raise InvalidConfig("refused")
    assert [folder.name for folder in path.parent.iterdir()] == ["t"]


def test_of_two_that_take_a_study_up_the_second_waits_and_has_a_folder(tmp_path):
    """The first one is refused while the second one waits; whatever the order, the second one's study is there."""
    path = tmp_path / "results" / "s"

    def second():
        with StudyFolder(path).taken_up():
            StudyFolder(path).open(RECORD)

    waiting = threading.Thread(target=second)
    with pytest.raises(InvalidConfig), StudyFolder(path).taken_up():
        waiting.start()
        raise InvalidConfig("refused")
    waiting.join()
    assert StudyFolder(path).record() == RECORD


def test_a_study_that_has_started_stays_when_a_later_start_is_refused(tmp_path):
    path = tmp_path / "results" / "s"
    with pytest.raises(InvalidConfig), StudyFolder(path).taken_up():
        StudyFolder(path).open(RECORD)
        raise InvalidConfig("refused")
    assert StudyFolder(path).record() == RECORD
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidConfig), StudyFolder(tmp_path / "there").taken_up():
        raise InvalidConfig("refused")
    assert (tmp_path / "there").is_dir(), "it was not made here"


def test_a_refused_study_that_is_alone_leaves_no_trace(tmp_path):
    with pytest.raises(InvalidConfig), StudyFolder(tmp_path / "results" / "s").taken_up():
        raise InvalidConfig("refused")
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_can_t_be_read_is_one_line_for_the_commands(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "results" / "s").mkdir(parents=True)
    (tmp_path / "results" / "s" / "study.json").write_text("{")
    with pytest.raises(InvalidConfig, match=r"study\.json: it can't be read") as refused:
        open_existing("s")
    assert len(str(refused.value).splitlines()) == 1


def test_trials_are_compared_anew_exactly_when_something_has_changed(tmp_path, monkeypatch):
    compared = []
    monkeypatch.setattr(module, "compare", lambda *what: compared.append(what) or compare(*what))
    folder, times = StudyFolder(tmp_path), itertools.count()
    folder.open(study_record())

    def settle(place, **measured):
        file = tmp_path / place / "result.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        number = int(file.parent.name) if file.parent.name.isdigit() else None
        result = TrialResult(number=number, state=State.COMPLETE, measurements=Measurements(**measured))
        file.write_text(result.to_json())
        os.utime(file, ns=(0, next(times)))

    def looked_at():
        """The front, and how many comparisons it took to ask twice."""
        before = len(compared)
        fronts = [[result.number for result in folder.front()] for _ in range(2)]
        assert fronts[0] == fronts[1]
        return fronts[0], len(compared) - before

    settle("trials/0", accuracy=0.5, peak_memory_mib=10.0)
    assert looked_at() == ([0], 1)
    settle("trials/1", accuracy=0.75, peak_memory_mib=20.0)
    assert looked_at() == ([1], 1)
    assert looked_at() == ([1], 0)
    settle("trials/1", accuracy=0.25, peak_memory_mib=5.0)
    assert looked_at() == ([0], 1)
    settle("repeats/0-seed1", accuracy=0.5)
    assert looked_at() == ([0], 1)
    folder.open(study_record(objectives=[Objective(name="peak_memory_mib", direction="minimize")]))
    assert looked_at() == ([1], 1)
