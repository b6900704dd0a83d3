"""The test split is asked once about each recommended trial, whatever fails, is killed or runs beside it."""

import contextlib
import shutil
import threading

import pytest

from terrasweep.config.compose import public_dict
from terrasweep.data.files_state import state_below
from terrasweep.data.stored import located
from terrasweep.machine.files import write_atomically
from terrasweep.process.parent import Outcome
from terrasweep.report.recommendations import choose
from terrasweep.report.study_outcome import summarize
from terrasweep.results.errors import Crashed, DeviceOutOfMemory
from terrasweep.results.final_test import FinalTest
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import final_test
from terrasweep.study.folder import StudyFolder
from terrasweep.study.trial_folders import TEST
from terrasweep.trial import trained_again
from tests.composing import compose_trial
from tests.studies import study_record

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
]
# Trial 0 is the smallest, 1 the most accurate, 2 the fastest and the knee; 3 is worse than 2 in everything.
TRIALS = {0: (0.5, 100.0, 10.0), 1: (0.9, 300.0, 10.0), 2: (0.8, 120.0, 30.0), 3: (0.7, 130.0, 20.0)}
RECOMMENDED = [0, 1, 2]


@pytest.fixture
def study(home):
    """A study that is over, whose trials have their weights."""
    path = home / "results" / "mine"
    for number in TRIALS:
        add(path, number)
    write_atomically(path / "study.json", study_record(name="mine", objectives=OBJECTIVES).to_json())
    return opened(path)


def opened(path):
    folder = StudyFolder(path)
    assert folder.open_stored()
    return folder


def add(path, number, *overrides):
    accuracy, memory, speed = TRIALS[number]
    measured = Measurements(accuracy=accuracy, peak_memory_mib=memory, throughput_samples_per_s=speed)
    trained = located(compose_trial("data.synthetic.test=6", *overrides))
    result = TrialResult(number=number, state=State.COMPLETE, measurements=measured, config=public_dict(trained))
    write_atomically(path / "trials" / str(number) / "result.json", result.to_json())
    (path / "trials" / str(number) / "weights").mkdir(exist_ok=True)


@pytest.fixture
def children(monkeypatch):
    """Children that say 0.6 less a hundredth per trial before; ``children.fails`` is what one of them does instead."""

    class Children:
        tested: list[int] = []  # noqa: RUF012 - made anew by each call
        fails: dict[int, BaseException | Outcome] = {}  # noqa: RUF012 - made anew by each call

        def number_of(self, folder):
            return int(folder.name)

        def __call__(self, task, arguments, log, limits):
            number = self.number_of(arguments["trial"])
            self.tested.append(number)
            log.write_text("what it said")
            other = self.fails.get(number)
            if isinstance(other, BaseException):
                raise other
            return other or Outcome(
                {"accuracy": 0.6 - number / 100, "metrics": {"test_loss": 1.0}, "samples": 6, "precision": "fp32"}
                | {"device": "CPU"}
            )

    made = Children()
    made.tested, made.fails = [], {}
    monkeypatch.setattr(final_test.process, "run", made)
    monkeypatch.setattr(final_test.prepare, "prepare", lambda config: None)
    return made


def ask(folder, *, asked_for=True):
    said = []
    return final_test.run_final_tests(folder, said.append, asked_for=asked_for), said


def test_recommended_trials_are_those_that_are_expected_here(study):
    chosen = choose(summarize(study.known, study.results()))
    assert {role: result.number for role, result in chosen.items()} == {
        "most_accurate": 1,
        "smallest": 0,
        "fastest": 2,
        "knee": 2,
    }


def test_each_recommended_trial_is_asked_about_once(study, children):
    complete, said = ask(study)
    assert complete
    assert sorted(children.tested) == RECOMMENDED
    assert sorted(said)[1] == "trial 1: mIoU 0.59 on the test split (6 samples), 0.9 on the validation split"
    assert ask(opened(study.path)) == (True, [])
    assert len(children.tested) == len(RECOMMENDED)


def test_the_results_stay_as_the_search_knew_them_and_show_the_test_accuracy(study, children):
    files = {file: file.read_bytes() for file in study.path.glob("trials/*/result.json")}
    front = [result.number for result in study.front()]
    before = {result.number: result.measurements["accuracy"] for result in study.results()}
    ask(study)
    assert {file: file.read_bytes() for file in files} == files
    for folder in (study, opened(study.path)):
        found = {result.number: result.value("test_accuracy") for result in folder.results()}
        assert found == {0: 0.6, 1: pytest.approx(0.59), 2: pytest.approx(0.58), 3: None}
    assert [result.number for result in study.front()] == front
    assert {result.number: result.measurements["accuracy"] for result in study.results()} == before
    stored = FinalTest.from_json((study.path / "trials/1" / TEST).read_text())
    assert (stored.accuracy, stored.samples, stored.metrics) == (pytest.approx(0.59), 6, {"test_loss": 1.0})


def test_what_fails_for_one_trial_costs_no_other_one_and_is_asked_again(study, children):
    children.fails = {1: Outcome(error=Crashed("signal 11")), 2: ValueError("no JSON\nat all")}
    complete, said = ask(study)
    assert not complete
    assert {r.number for r in study.results() if r.value("test_accuracy") is not None} == {0}
    log = study.path / "trials/1" / final_test.LOG
    assert f"warning: trial 1 is not measured on the test split: signal 11; see {log}" in said
    assert "warning: trial 2 is not measured on the test split: ValueError: no JSON" in said
    assert log.is_file()
    children.fails, children.tested = {}, []
    assert ask(study)[0]
    assert sorted(children.tested) == [1, 2]
    assert not log.exists()


def test_a_kill_in_between_keeps_what_was_answered(study, children):
    children.fails = {2: KeyboardInterrupt()}
    with contextlib.suppress(KeyboardInterrupt):
        ask(study)
    answered = {int(file.parent.name) for file in study.path.glob(f"trials/*/{TEST}")}
    children.fails, children.tested = {}, []
    assert ask(opened(study.path))[0]
    assert set(children.tested) == set(RECOMMENDED) - answered
    assert 2 in children.tested


def test_out_of_memory_is_told_as_it_is(study, children):
    children.fails = {number: Outcome(error=DeviceOutOfMemory("20 GiB")) for number in RECOMMENDED}
    _, (line,) = ask(study)
    assert line.startswith("warning: trials ")
    assert line.endswith("are not measured on the test split: 20 GiB")


def test_weights_that_were_not_kept_are_one_line_that_says_how(study, children):
    for number in (0, 1):
        shutil.rmtree(study.path / "trials" / str(number) / "weights")
    complete, said = ask(study, asked_for=False)
    assert not complete
    (line,) = [line for line in said if line.startswith("warning")]
    assert line.endswith(
        "the weights went while it was far from the front (study.keep_weights=all keeps everybody's); "
        "terrasweep test mine trains it again"
    )
    assert children.tested == [2]


def test_weights_that_nobody_wanted_are_one_line_that_says_how(study, children):
    add(study.path, 1, "train.save_weights=false")
    shutil.rmtree(study.path / "trials" / "1" / "weights")
    _, said = ask(opened(study.path), asked_for=False)
    (line,) = [line for line in said if line.startswith("warning")]
    assert "the weights were not kept; train.save_weights=true with study.keep_weights=front or all" in line


def test_who_asks_has_a_trial_without_weights_trained_again(study, children, monkeypatch):
    def train(config, again):
        (again / "weights").mkdir()
        return study.trials.result(1)

    monkeypatch.setattr(trained_again, "run_trial", train)
    monkeypatch.setattr(
        children, "number_of", lambda folder: 1 if folder.name.startswith(".again") else int(folder.name)
    )
    shutil.rmtree(study.path / "trials" / "1" / "weights")
    assert ask(study)[0]
    assert sorted(children.tested) == RECOMMENDED
    assert {r.number: r.value("test_accuracy") for r in study.results()}[1] == pytest.approx(0.59)


def test_no_test_split_is_one_line_for_whoever_asked_and_none_for_others(study, children):
    for number in TRIALS:
        add(study.path, number, "data.synthetic.test=0")
    folder = opened(study.path)
    complete, (line,) = ask(folder)
    assert not complete
    assert "are not measured on the test split: data=synthetic: there is no test split (data.synthetic.test=0)" in line
    assert ask(folder, asked_for=False) == (True, [])
    assert children.tested == []


def test_data_that_changed_since_the_trial_are_no_test_of_it(study, children, home):
    tiles = home / "tiles"
    tiles.mkdir()
    (tiles / "a.tif").write_text("as it was trained on")
    for number in TRIALS:
        add(study.path, number, "data=segmentation_folder", "data.root=tiles")
    (tiles / "a.tif").write_text("another one, by now")
    state_below.cache_clear()
    _, (line,) = ask(opened(study.path))
    assert "data.root=tiles: its files have changed since the trial was trained" in line
    assert children.tested == []


def test_an_answer_that_can_t_be_read_is_not_asked_for_again(study, children, capsys):
    (study.path / "trials/1" / TEST).write_text("{")
    ask(study)
    assert sorted(children.tested) == [0, 2]
    assert {r.number: r.value("test_accuracy") for r in study.results()}[1] is None
    err = capsys.readouterr().err
    assert err.count("move it away to ask once more") == 1


def test_two_processes_ask_once(study, children, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()

    def slowly(*arguments):
        begun.set()
        assert may_end.wait(60)
        return children(*arguments)

    monkeypatch.setattr(final_test.process, "run", slowly)
    answers = []
    first = threading.Thread(target=lambda: answers.append(ask(opened(study.path))))
    first.start()
    assert begun.wait(60)
    second = threading.Thread(target=lambda: answers.append(ask(opened(study.path))))
    second.start()
    may_end.set()
    first.join()
    second.join()
    assert sorted(children.tested) == RECOMMENDED
    assert [complete for complete, _ in answers] == [True, True]
    assert sorted(len(said) for _, said in answers) == [0, len(RECOMMENDED)]
