"""Whatever of a study is lost, the next start finds the rest, gives no number out twice and writes over nothing."""

import contextlib
import os
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import reconcile
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import take_orphans
from terrasweep.study.ranges import suggest
from terrasweep.study.search_space import parse_space
from tests.studies import study_record

OBJECTIVES = [Objective(name="accuracy", direction="maximize"), Objective(name="peak_memory_mib", direction="minimize")]
SPACE = {"tuning.rank": "choice(2,4,8)", "train.lr": "tag(log, interval(1e-5, 1e-3))"}
TOTAL = 20
ENDS = {
    "complete": {"state": State.COMPLETE},
    "over": {"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET, "violation": 0.25},
    "crashed": {"state": State.FAILED, "reason": Reason.CRASHED},
    "interrupted": {"state": State.FAILED, "reason": Reason.INTERRUPTED},
}
STATES = {"complete": "COMPLETE", "over": "PRUNED", "crashed": "FAIL", "interrupted": "FAIL"}


def start(path, started="2026-01-01T00:00:00.000+00:00", url=None, takeover=False):
    """What a sweep does with folder and storage before its first trial."""
    path.mkdir(parents=True, exist_ok=True)
    folder = StudyFolder(path)
    stored = StoredStudy("s", url or f"sqlite:///{path / 'optuna.db'}", OBJECTIVES, path)
    new = study_record(name="s", objectives=OBJECTIVES, space=SPACE, started=started)
    folder.open(reconcile.stored_record(folder, stored, takeover=takeover) or new)
    reconcile.remember(folder, stored)
    return folder, stored, reconcile.reconcile(folder, stored)


def run(folder, stored, end):
    """One trial that ends in a certain way."""
    (trial,) = stored.ask(1, TOTAL)
    searched = {key.name: suggest(trial, key.name, key.distribution) for key in parse_space(SPACE, []).keys}
    assert folder.trials.hand_out(trial.number, "attempt")
    if end != "killed":
        measured = Measurements(accuracy=0.1 + trial.number / 100, peak_memory_mib=100.0 + trial.number)
        result = TrialResult(number=trial.number, measurements=measured, searched=searched, **ENDS[end])
        assert folder.add(result, "attempt")
        assert stored.tell(trial, result)
    return trial.number


def lose(path, what):
    """Take something of a study away, as a user or a disk may."""
    kind, number = what
    if kind in ("no optuna.db", "empty optuna.db"):
        for suffix in ("-wal", "-shm", ""):
            (path / f"optuna.db{suffix}").unlink(missing_ok=True)
        if kind == "empty optuna.db":
            (path / "optuna.db").touch()
    elif kind == "no study.json":
        (path / "study.json").unlink()
    else:
        file = path / "trials" / str(number) / "result.json"
        if file.exists():
            file.unlink()


LOSSES = st.tuples(
    st.sampled_from(["no optuna.db", "empty optuna.db", "no study.json", "no result.json"]), st.integers(0, 5)
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.lists(st.sampled_from(sorted(ENDS)), min_size=1, max_size=6), loss=LOSSES)
def test_one_loss_is_made_up_for(tmp_path_factory, ends, loss):
    path = tmp_path_factory.mktemp("home") / "s"
    folder, stored, _ = start(path)
    numbers = [run(folder, stored, end) for end in ends]
    ran = dict(zip(numbers, ends, strict=True))
    record, results, left = folder.known, {r.number: r for r in folder.results()}, stored.remaining(TOTAL)
    lose(path, loss)
    kept = {file: file.read_bytes() for file in path.glob("trials/*/result.json")}

    folder, stored, said = start(path, started="2026-02-02T00:00:00.000+00:00")

    assert {file: file.read_bytes() for file in kept} == kept, "nothing that is there is written over"
    assert folder.known.started == record.started, "it is the same study, in MLflow too"
    assert folder.known.reference == record.reference
    again = {r.number: r for r in folder.results()}
    assert again.keys() == results.keys()
    for number, result in results.items():
        assert (again[number].state, again[number].reason) == (result.state, result.reason)
        assert again[number].searched == result.searched
        if result.state is State.COMPLETE:
            assert again[number].value("accuracy") == result.value("accuracy")
    told = {t.number: t for t in stored.trials() if t.number in ran}
    assert {number: t.state.name for number, t in told.items()} == {n: STATES[end] for n, end in ran.items()}
    assert all(t.params == results[number].searched for number, t in told.items())
    assert all(t.constraints.get("miss") == {"complete": 0.0, "over": 0.25}.get(ran[n]) for n, t in told.items())
    assert stored.remaining(TOTAL) == left
    assert run(folder, stored, "complete") not in results
    lost_something = loss[0] in ("no optuna.db", "empty optuna.db") or len(kept) < len(results)
    assert bool(said) == lost_something
    assert start(path)[2] == [], "and the next start has nothing to make up for"


def test_a_trial_that_ran_when_the_storage_was_lost_keeps_its_number_and_is_an_orphan(tmp_path):
    path = tmp_path / "s"
    folder, stored, _ = start(path)
    assert [run(folder, stored, end) for end in ("complete", "killed", "complete")] == [0, 1, 2]
    lose(path, ("no optuna.db", 0))
    _, stored, _ = start(path)
    assert [trial.number for trial in take_orphans(stored)] == [1]
    assert [t.state.name for t in stored.trials()] == ["COMPLETE", "RUNNING", "COMPLETE"]
    assert stored.ask(1, TOTAL)[0].number == 3


def test_what_a_power_cut_took_of_the_storage_s_last_commits_is_told_again(tmp_path):
    path = tmp_path / "s"
    folder, stored, _ = start(path)
    run(folder, stored, "complete")
    saved = {f: f.read_bytes() for f in path.glob("optuna.db*")}
    run(folder, stored, "interrupted")
    run(folder, stored, "complete")
    for file in path.glob("optuna.db*"):
        file.write_bytes(saved[file]) if file in saved else file.unlink()
    kept = {file: file.read_bytes() for file in path.glob("trials/*/result.json")}
    folder, stored, _ = start(path)
    assert [t.state.name for t in stored.trials()] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert run(folder, stored, "complete") == 3
    assert {file: file.read_bytes() for file in kept} == kept


@pytest.mark.parametrize("content", [b"", b'{"number": 1, "st', b"\x80\x81", b"[]", b'{"schema_version": 999}', b"{}"])
def test_a_result_that_can_t_be_read_is_said_in_a_line_and_left_alone(tmp_path, capsys, content):
    path = tmp_path / "s"
    folder, stored, _ = start(path)
    for _ in range(3):
        run(folder, stored, "complete")
    torn = path / "trials" / "1" / "result.json"
    torn.write_bytes(content)
    folder, stored, said = start(path)
    assert [r.number for r in folder.results()] == [0, 2]
    assert folder.results()
    assert said == []
    (line,) = capsys.readouterr().err.splitlines()
    assert str(torn) in line
    assert "move it away" in line
    with pytest.raises(InvalidConfig, match=r"result\.json: it can't be read"):
        folder.trials.result(1)
    assert run(folder, stored, "complete") == 3
    assert torn.read_bytes() == content
    torn.rename(tmp_path / "moved")
    assert [r.number for r in start(path)[0].results()] == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"{", b"\x80", b"[]", b"{}"])
def test_a_record_that_can_t_be_read_is_one_line_and_stays(tmp_path, content):
    path = tmp_path / "s"
    run(*start(path)[:2], "complete")
    (path / "study.json").write_bytes(content)
    with pytest.raises(InvalidConfig, match=r"study\.json: it can't be read") as refused:
        start(path)
    assert len(str(refused.value).splitlines()) == 1
    assert (path / "study.json").read_bytes() == content


def test_the_same_database_and_name_from_another_home_is_refused_and_says_whose_it_is(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    mine, other = tmp_path / "mine" / "s", tmp_path / "other" / "s"
    run(*start(mine, url=url)[:2], "complete")
    with pytest.raises(InvalidConfig, match=str(mine)) as refused:
        start(other, started="2026-02-02T00:00:00.000+00:00", url=url)
    assert len(str(refused.value).splitlines()) == 1
    assert not (other / "study.json").exists()
    run(*start(other, started="2026-02-02T00:00:00.000+00:00")[:2], "complete")  # With a storage of its own.
    with pytest.raises(InvalidConfig, match=str(mine)):
        start(other, url=url)


def test_a_study_whose_folder_was_moved_goes_on_there(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    mine, moved = tmp_path / "mine" / "s", tmp_path / "moved" / "s"
    run(*start(mine, url=url)[:2], "complete")
    moved.parent.mkdir()
    os.rename(mine, moved)
    folder, stored, said = start(moved, url=url)
    assert said == []
    assert run(folder, stored, "complete") == 1


def test_a_folder_that_is_gone_is_made_again_by_takeover_alone(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    mine, new = tmp_path / "mine" / "s", tmp_path / "new" / "s"
    run(*start(mine, url=url)[:2], "complete")
    with pytest.raises(InvalidConfig, match=r"study\.takeover=true"):
        start(new, url=url)
    folder, _, said = start(new, url=url, takeover=True)
    assert [r.number for r in folder.results()] == [0]
    assert len(said) == 1


@pytest.mark.parametrize("damage", [b"this is no database, but something of the user's" * 9, None])
def test_a_database_that_can_t_be_used_is_one_line_and_stays(tmp_path, damage):
    path = tmp_path / "s"
    run(*start(path)[:2], "complete")
    with contextlib.closing(sqlite3.connect(path / "optuna.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = (path / "optuna.db").read_bytes() if damage is None else damage
    content = content[: len(content) // 2] if damage is None else content
    lose(path, ("no optuna.db", 0))
    (path / "optuna.db").write_bytes(content)
    with pytest.raises(InvalidConfig, match="move it away") as refused:
        start(path)
    assert len(str(refused.value).splitlines()) == 1
    assert (path / "optuna.db").read_bytes() == content


def test_trials_of_a_study_that_nobody_has_named_are_another_folder_s(tmp_path):
    """An earlier version left no word of whose a study is."""
    path = tmp_path / "s"
    path.mkdir()
    folder, stored = StudyFolder(path), StoredStudy("s", f"sqlite:///{path / 'optuna.db'}", OBJECTIVES, path)
    assert reconcile.stored_record(folder, stored, takeover=False) is None, "it is new"
    stored.ask(1, TOTAL)
    with pytest.raises(InvalidConfig, match="its study s is 1 trials of another folder"):
        reconcile.stored_record(folder, stored, takeover=False)
    assert reconcile.stored_record(folder, stored, takeover=True) is None


def test_a_trial_that_waits_but_has_a_result_is_not_begun_again(tmp_path):
    folder, stored, _ = start(tmp_path / "s")
    run(folder, stored, "complete")
    stored.study.enqueue_trial({"tuning.rank": 2})
    result = TrialResult(number=1, state=State.COMPLETE, measurements=Measurements(accuracy=0.5, peak_memory_mib=1.0))
    (tmp_path / "s" / "trials" / "1").mkdir()
    (tmp_path / "s" / "trials" / "1" / "result.json").write_text(result.to_json())
    start(tmp_path / "s")
    assert [t.state.name for t in stored.trials()] == ["COMPLETE", "RUNNING"]
    assert [trial.number for trial in take_orphans(stored)] == [1]


def test_a_trial_whose_ends_differ_is_said_and_the_folder_s_result_stays(tmp_path):
    folder, stored, _ = start(tmp_path / "s")
    run(folder, stored, "complete")
    file = tmp_path / "s" / "trials" / "0" / "result.json"
    file.write_text(TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED).to_json())
    before = file.read_text()
    (line,) = start(tmp_path / "s")[2]
    assert line.startswith("trial 0 ended otherwise in Optuna's storage than in the folder, which counts")
    assert file.read_text() == before
    assert [t.state.name for t in stored.trials()] == ["COMPLETE"]
