"""Trainings that the search does not propose: each once, whatever ends a start, and beside other processes."""

import dataclasses

import pytest
from hydra.core.utils import JobReturn, JobStatus

from terrasweep.machine.locks import Lease
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.extra_trainings import ExtraTraining, ExtraTrainings, changed, job_overrides
from terrasweep.study.folder import StudyFolder
from terrasweep.study.launch import NotLaunched
from terrasweep.trial.attempt import owns, take_over, write_result
from tests.studies import study_record

COMPLETE = TrialResult(number=None, state=State.COMPLETE, measurements=Measurements(accuracy=0.5), started="2026")
BROKEN = TrialResult(number=None, state=State.FAILED, reason=Reason.CRASHED, message="it broke")
NAMES = ("full", "lora", "wide")


def baseline(name):
    return ExtraTraining(role=Role.BASELINE, name=name, settings={"tuning": name}, overrides=(f"tuning={name}",))


class Sweep:
    """A launcher whose trainings do what a test says, and are counted."""

    launcher_name = "basic"

    def __init__(self, study, outcome=lambda name: COMPLETE, n_jobs=1):
        self.study, self.outcome, self.n_jobs = study, outcome, n_jobs
        self.began, self.attempts, self.batches = [], [], []

    def launch_extra(self, trainings, attempt):
        jobs = []
        self.batches.append(len(trainings))
        for training in trainings:
            own = training.within(self.study)
            assert owns(own, attempt)
            (own / "config.yaml").write_text("{}")
            self.began.append(training.name)
            self.attempts.append(attempt)
            outcome = self.outcome(training.name)
            failed = isinstance(outcome, Exception)
            jobs.append(JobReturn(status=JobStatus.FAILED if failed else JobStatus.COMPLETED, _return_value=outcome))
        return jobs


class Heard:
    """A progress and a tracker that keep what they are given."""

    def __init__(self):
        self.lines, self.logged = [], []

    def say(self, line):
        self.lines.append(line)

    def started(self, values):
        pass

    def log_extra(self, role, name, result):
        self.logged.append((str(role), name, str(result.state)))


@pytest.fixture
def study(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.path.mkdir()
    folder.open(study_record(name="s"))
    return folder


def start(study, outcome=lambda name: COMPLETE, attempt="one", n_jobs=1, names=NAMES, **how):
    """One start of a study; what was launched, and what was said."""
    sweep, heard = Sweep(study.path, outcome, n_jobs), Heard()
    try:
        ExtraTrainings(sweep, study, heard, heard, attempt).run([baseline(name) for name in names], **how)
    except KeyboardInterrupt:
        heard.lines.append("interrupted")
    return sweep, heard


def states(study):
    return {name: str(result.state) for name, result in read_extra_results(study.path, Role.BASELINE).items()}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_runs_once_and_is_no_trial(study, n_jobs):
    sweep, heard = start(study, n_jobs=n_jobs)
    assert sweep.began == list(NAMES)
    assert states(study) == dict.fromkeys(NAMES, "complete")
    assert heard.logged == [("baseline", name, "complete") for name in NAMES]
    assert heard.lines[0] == "[baseline 1/3] full  complete  accuracy=0.5  (tuning=full)"
    assert study.results() == []
    again, heard = start(study, attempt="two")
    assert (again.began, heard.lines, heard.logged) == ([], [], [])


def test_what_needs_the_machine_for_itself_runs_alone_under_any_launcher(study):
    assert start(study, n_jobs=2)[0].batches == [2, 1]
    again = start(study, n_jobs=2, names=("one", "two", "three"), one_by_one=True)[0]
    assert again.batches == [1, 1, 1]


def test_a_start_that_is_ended_costs_the_training_that_ran(study):
    def ends(name):
        if name == "lora":
            raise KeyboardInterrupt
        return COMPLETE

    sweep, heard = start(study, ends)
    assert (sweep.began, heard.lines[-1]) == (["full", "lora"], "interrupted")
    before = (study.path / "baselines" / "full" / "result.json").read_bytes()
    again, heard = start(study, attempt="two")
    assert again.began == ["lora", "wide"]
    assert heard.lines[0].startswith("[baseline 2/3] lora")
    assert (study.path / "baselines" / "full" / "result.json").read_bytes() == before
    assert states(study) == dict.fromkeys(NAMES, "complete")


def test_what_a_training_wrote_down_before_its_sweep_was_killed_counts(study):
    def killed(name):
        write_result(study.path / "baselines" / name, COMPLETE, "one")
        raise KeyboardInterrupt

    start(study, killed, names=["full"])
    assert states(study) == {}, "it is not settled"
    again, heard = start(study, attempt="two")
    assert again.began == ["lora", "wide"]
    assert [name for _, name, _ in heard.logged] == list(NAMES)
    assert read_extra_results(study.path, Role.BASELINE)["full"].searched == {"tuning": "full"}


def test_what_was_interrupted_is_no_result(study):
    stopped = TrialResult(number=None, state=State.FAILED, reason=Reason.INTERRUPTED, message="the launcher ended it")

    def interrupted(name):
        write_result(study.path / "baselines" / name, stopped, "one")
        return stopped

    assert start(study, interrupted, names=["full"])[1].logged == []
    assert states(study) == {}
    assert start(study, attempt="two", names=["full"])[0].began == ["full"]
    assert states(study) == {"full": "complete"}


def test_a_worker_that_comes_late_changes_nothing(study, capsys):
    def dies(name):
        raise KeyboardInterrupt

    start(study, dies, names=["full"])
    start(study, attempt="two", names=["full"])
    own = study.path / "baselines" / "full"
    before = (own / "result.json").read_bytes()
    assert not write_result(own, dataclasses.replace(COMPLETE, started="2027"), "one")
    assert (own / "result.json").read_bytes() == before
    assert (own / "result.late-one.json").is_file()
    assert "warning: baselines full was ended by another process" in capsys.readouterr().err


def test_processes_that_share_a_study_take_different_ones(study):
    """The second one starts while the first one trains its first, and is done before that is."""
    seconds = []

    def trains(name):
        if not seconds:
            seconds.append(start(study, attempt="two")[0].began)
        return COMPLETE

    first, _ = start(study, trains)
    assert (first.began, seconds) == (["full"], [["lora", "wide"]])
    assert states(study) == dict.fromkeys(NAMES, "complete")


def test_what_another_process_holds_is_left_to_it(study):
    own = study.path / "baselines" / "lora"
    own.mkdir(parents=True)
    held = Lease(own / ".lease")
    assert held.take()
    assert start(study)[0].began == ["full", "wide"]
    held.give_back()
    assert start(study, attempt="two")[0].began == ["lora"]


def test_one_that_failed_runs_again_only_where_it_is_asked_for(study):
    def fails(name):
        return BROKEN if name == "lora" else COMPLETE

    assert start(study, fails)[0].began == list(NAMES)
    assert states(study) == {"full": "complete", "lora": "failed", "wide": "complete"}
    assert start(study, attempt="two")[0].began == []
    assert start(study, fails, attempt="three", failed_ones=True)[0].began == ["lora"]
    assert start(study, attempt="four", failed_ones=True)[0].began == ["lora"]
    assert states(study) == dict.fromkeys(NAMES, "complete")


def test_a_launcher_that_fails_costs_nothing_and_one_that_had_begun_is_a_crash(study, monkeypatch):
    def refuses(self, trainings, attempt):
        raise ConnectionError("no cluster")

    with monkeypatch.context() as patched:
        patched.setattr(Sweep, "launch_extra", refuses)
        with pytest.raises(NotLaunched, match=r"hydra/launcher=basic: ConnectionError: no cluster"):
            start(study)
    assert states(study) == {}

    def dies(name):
        if name == "full":
            raise RuntimeError("a worker was killed")
        return COMPLETE

    assert start(study, dies)[0].began == list(NAMES)
    assert states(study) == {"full": "failed", "lora": "complete", "wide": "complete"}


def test_one_that_raised_and_one_that_was_lost(study):
    def outcome(name):
        return {"full": ValueError("no such thing"), "lora": NotLaunched("the node is gone")}.get(name, COMPLETE)

    start(study, outcome, n_jobs=3)
    found = read_extra_results(study.path, Role.BASELINE)
    assert found["full"].message == "ValueError: no such thing"
    assert found["lora"].message == "the node is gone"
    assert found["wide"].state is State.COMPLETE


def test_one_that_the_launcher_did_not_start_runs_on_the_next_start(study, monkeypatch):
    def loses_the_first(self, trainings, attempt):
        jobs = real(self, trainings[1:], attempt)
        return [JobReturn(status=JobStatus.FAILED, _return_value=NotLaunched("no room")), *jobs]

    real = Sweep.launch_extra
    with monkeypatch.context() as patched:
        patched.setattr(Sweep, "launch_extra", loses_the_first)
        _, heard = start(study, n_jobs=3)
    assert heard.lines[0] == "baseline full: the launcher did not start it; it runs on the next start"
    assert start(study, attempt="two")[0].began == ["full"]


def test_a_training_that_had_its_result_before_the_launcher_lost_it_counts(study):
    def answers(name):
        write_result(study.path / "baselines" / name, COMPLETE, "one")
        return NotLaunched("the node is gone")

    _, heard = start(study, answers, names=["full"])
    assert states(study) == {"full": "complete"}
    assert heard.logged == [("baseline", "full", "complete")]


def test_a_training_that_another_process_took_over_is_not_this_one_s_to_settle(study):
    own = study.path / "baselines" / "full"

    def is_taken_over(name):
        take_over(own, "two")
        return COMPLETE

    _, heard = start(study, is_taken_over, names=["full"])
    assert (heard.lines, heard.logged, states(study)) == ([], [], {})
    assert (own / "result.late-one.json").is_file()
    assert owns(own, "two")


def test_a_result_that_can_t_be_read_is_left_alone(study):
    own = study.path / "baselines" / "full"
    own.mkdir(parents=True)
    (own / "result.json").write_text("{")
    assert start(study)[0].began == ["lora", "wide"]
    assert states(study) == {"lora": "complete", "wide": "complete"}


@pytest.mark.parametrize(
    ("fixed", "own", "result"),
    [
        (["train.lr=0.1"], ["tuning=full"], ["train.lr=0.1", "tuning=full"]),
        (["tuning=lora", "tuning.rank=4", "train.lr=0.1"], ["tuning=full"], ["train.lr=0.1", "tuning=full"]),
        (["tuning=lora", "tuning.rank=4"], ["tuning.rank=16"], ["tuning=lora", "tuning.rank=16"]),
        (["train.lr=0.1", "+data.arguments.a=1"], ["train.lr=0.2"], ["+data.arguments.a=1", "train.lr=0.2"]),
        (["~search_spaces", "tuning_more=1"], ["tuning=full"], ["~search_spaces", "tuning_more=1", "tuning=full"]),
    ],
)
def test_a_training_s_own_settings_take_the_place_of_the_study_s(fixed, own, result):
    assert changed(fixed, own) == result


def test_a_training_has_a_folder_of_its_own_and_no_number():
    overrides = job_overrides(baseline("full"), ["train.lr=0.1", "tuning.rank=4"], "one")
    assert overrides == [
        "trial.attempt='one'",
        "hydra.sweep.subdir='baselines/full'",
        "train.lr=0.1",
        "tuning=full",
    ]
