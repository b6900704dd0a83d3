"""A whole sweep, from arguments to MLflow, with a launcher whose trials take no time."""

import shutil
from types import SimpleNamespace

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from mlflow import MlflowClient
from omegaconf.errors import ConfigTypeError

from terrasweep import process, report
from terrasweep.config.compose import composed_trial, public_dict, register_schema
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import baselines, loop, mlflow_parent, mlflow_store, optuna_study, sweep
from terrasweep.study.composer import Composer
from terrasweep.trial.attempt import put_back
from tests.composing import compose_all
from tests.conftest import make_home
from tests.integration.study import read_optuna, read_record, read_results
from tests.studies import NoTracker

ACCURACY = "study.objectives=[{name:accuracy,direction:maximize}]"
MEMORY = "study.objectives=[{name:peak_memory_mib,direction:minimize}]"
SEARCH = "tuning.rank=choice(2,4,8)"
FIXED = (
    *("~search_spaces", "study.name=s", "study.baselines=none", "confirm.rounds=0"),
    *("backbone.checkpoint=null", "decoder=linear", "tuning.targets=mlp"),
)


class Launcher:
    """Hydra's, as a sweeper sees it; what trials come to is said by a test."""

    state = State.COMPLETE

    def __init__(self):
        self.launched = []

    def launch(self, job_overrides, initial_job_idx):
        return [self._run(OverridesParser.create().parse_overrides(overrides)) for overrides in job_overrides]

    def _run(self, overrides):
        values = {override.key_or_group: override.value() for override in overrides}
        self.launched.append(values)
        failed = {"reason": Reason.DATA_ERROR, "message": "no tiles"} if self.state is State.FAILED else {}
        measured = Measurements(accuracy=0.5, peak_memory_mib=float(values["tuning.rank"]))
        number, config = values.get("trial.number"), {"train": {"seed": values.get("train.seed", 0)}}
        result = TrialResult(number=number, state=self.state, measurements=measured, config=config, **failed)
        return JobReturn(status=JobStatus.COMPLETED, _return_value=result)


@pytest.fixture(params=[False])
def start(tmp_path, monkeypatch, request):
    """One start of the study ``s``, tracked or not; gives what was launched, and the exit status."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(make_home(tmp_path)))
    monkeypatch.setattr(report, "write_report", lambda *_: None)
    monkeypatch.setattr(sweep, "check_models", lambda looks: list(looks))
    monkeypatch.setattr(baselines, "check_models", lambda _: None)
    monkeypatch.setattr(process, "warm_up", lambda: warmed.append(True))
    warmed = []
    if not request.param:
        monkeypatch.setattr(loop, "BackgroundTracker", NoTracker)
        monkeypatch.setattr(mlflow_store, "prepare", lambda _: None)
        monkeypatch.setattr(mlflow_parent, "with_known_start", lambda record, _: record)

    def run(*arguments, state=State.COMPLETE):
        register_schema()
        GlobalHydra.instance().clear()
        launcher = Launcher()
        launcher.state, launcher.warmed = state, warmed
        plugins = SimpleNamespace(instance=lambda: SimpleNamespace(instantiate_launcher=lambda **_: launcher))
        monkeypatch.setattr(sweep, "Plugins", plugins)
        warmed.clear()
        with initialize_config_module("terrasweep.conf"):
            loader = GlobalHydra.instance().config_loader()
            overrides = [f"hydra.searchpath=[file://{tmp_path}]", *FIXED, *arguments]
            config = loader.load_configuration("config", overrides, run_mode=RunMode.MULTIRUN)
            HydraConfig.instance().set_config(config)
            hydra = config.hydra.sweeper
            settings = {"sampler": hydra.sampler, "pruner": hydra.pruner, "n_jobs": None, "params": {}}
            context = SimpleNamespace(config_loader=loader)
            try:
                sweep.StudySweep(settings, context, None, config).sweep([*FIXED, *arguments])
            except SystemExit as ended:
                launcher.status = ended.code
        return launcher

    return run


def mlflow_runs(home):
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    nested = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    return len(found) - len(nested), sorted(run.data.tags["trial_number"] for run in nested)


@pytest.mark.parametrize("start", [True], indirect=True)
def test_a_study_that_lost_its_record_and_its_database_goes_on_and_is_not_doubled(start, tmp_path):
    study = tmp_path / "results" / "s"
    assert len(start(ACCURACY, SEARCH, "study.n_trials=3").launched) == 3
    started, kept = read_record(study).started, read_results(study)
    for file in [study / "study.json", *study.glob("optuna.db*")]:
        file.unlink()
    assert [launched["trial.number"] for launched in start(ACCURACY, SEARCH, "study.n_trials=4").launched] == [3]
    assert {number: result for number, result in read_results(study).items() if number < 3} == kept
    assert read_record(study).started == started
    assert mlflow_runs(tmp_path) == (1, ["0", "1", "2", "3"])
    shutil.rmtree(study)
    start(ACCURACY, SEARCH, "study.n_trials=1")
    assert mlflow_runs(tmp_path) == (2, ["0", "0", "1", "2", "3"]), "what was deleted and started over is another study"


def test_a_pruner_that_can_t_judge_is_refused_before_anything_is_there_and_one_that_can_does(start, tmp_path):
    with pytest.raises(InvalidConfig, match="needs a learning curve"):
        start(MEMORY, SEARCH, "hydra/sweeper/pruner=median", "train.validate_every=5")
    assert not (tmp_path / "results").exists()
    pruned = start(
        ACCURACY,
        SEARCH,
        "hydra/sweeper/pruner=median",
        "train.validate_every=5",
        "study.n_trials=1",
        "confirm.rounds=1",
    )
    trial, *others = (launched.get("trial.judged") for launched in pruned.launched)
    assert (trial, {*others}) == (True, {None}), "what is no trial, like a confirmation, is not judged"
    unjudged = start(ACCURACY, SEARCH, "train.validate_every=5", "study.n_trials=2", "confirm.rounds=0")
    assert ["trial.judged" in launched for launched in unjudged.launched] == [False]


def test_a_sweep_looks_at_each_trial_once_and_hydra_composes_for_its_groups_alone(start, monkeypatch):
    """The trial itself composes and checks once more, as it may run elsewhere: test_run.py."""
    composed, looked_at = [], []
    by_hydra, look_at = Composer._composed_by_hydra, sweep.StudySweep._look_at

    def count_composed(own, texts):
        composed.append(texts)
        return by_hydra(own, texts)

    def count_looks(own, values):
        looked_at.append(values)
        return look_at(own, values)

    monkeypatch.setattr(Composer, "_composed_by_hydra", count_composed)
    monkeypatch.setattr(sweep.StudySweep, "_look_at", count_looks)
    launched = [start(ACCURACY, SEARCH, f"study.name=of_{n}", f"study.n_trials={n}").launched for n in (2, 3)]
    assert [values["tuning.rank"] for trials in launched for values in trials] == [
        values["tuning.rank"] for values in looked_at
    ]
    assert composed == [(), ()]


@pytest.mark.parametrize("change", [MEMORY, "tuning.rank=choice(3,4)"])
def test_a_study_in_which_every_trial_failed_takes_other_objectives_and_choices(
    start, tmp_path, capsys, monkeypatch, change
):
    monkeypatch.setattr(optuna_study, "this_process", lambda: "")  # As if each start ran in a process of its own.
    study = tmp_path / "results" / "s"
    first = start(ACCURACY, SEARCH, "study.n_trials=3", state=State.FAILED)
    assert (len(first.launched), first.status) == (3, 1)
    before = read_results(study)
    new = [change if change.partition("=")[0] in old else old for old in (ACCURACY, SEARCH)]
    capsys.readouterr()
    second = start(*new, "study.n_trials=3")
    assert "note: every trial of s failed" in capsys.readouterr().err
    assert [launched["trial.number"] for launched in second.launched] == [3, 4, 5]
    results = read_results(study)
    assert results.keys() == {*before, 3, 4, 5}
    assert [results[number].state for number in range(6)] == ["failed"] * 3 + ["complete"] * 3
    told = read_optuna(study)
    assert [trial.state.name for trial in told] == ["FAIL"] * 3 + ["COMPLETE"] * 3
    record = read_record(study)
    assert ([o.name for o in record.objectives] == ["peak_memory_mib"]) == (change == MEMORY)
    assert (record.space["tuning.rank"] == "choice(3,4)") == (change != MEMORY)
    if change != MEMORY:
        assert {launched["tuning.rank"] for launched in second.launched} <= {3, 4}
    again = start(*new, "study.n_trials=3")
    assert again.launched == []
    with pytest.raises(InvalidConfig, match=r"other objectives|other values"):
        start(ACCURACY, SEARCH, "study.n_trials=3")
    assert read_results(study) == results


@pytest.mark.parametrize(("launcher", "warmed"), [("basic", True), ("joblib", False)])
def test_the_libraries_are_imported_where_the_sweep_s_own_process_starts_trials(start, launcher, warmed):
    assert bool(start(ACCURACY, SEARCH, "study.n_trials=1", f"hydra/launcher={launcher}").warmed) == warmed
    assert start(ACCURACY, SEARCH, "study.n_trials=1", f"hydra/launcher={launcher}").warmed == [], "nothing is missing"


def test_the_sampler_draws_on_where_the_storage_was_lost(start, tmp_path):
    """A restart that drew from the study's first seed again would repeat the first trials."""
    search = ("train.lr=interval(0.001,0.1)", SEARCH)
    whole = [values["train.lr"] for values in start(ACCURACY, *search, "study.n_trials=3").launched]
    for file in (tmp_path / "results" / "s").glob("optuna.db*"):
        file.unlink()
    (later,) = start(ACCURACY, *search, "study.n_trials=4").launched
    assert later["train.lr"] not in whole


def test_processes_that_start_together_draw_each_by_itself(start, monkeypatch):
    """The second one starts while the first one runs its first trial, as under ``command & command &``."""
    search = ("train.lr=interval(0.001,0.1)", SEARCH)
    both = []

    def run(self, overrides, real=Launcher._run):
        monkeypatch.setattr(Launcher, "_run", real)
        both.extend(start(ACCURACY, *search, "study.n_trials=2").launched)
        return real(self, overrides)

    monkeypatch.setattr(Launcher, "_run", run)
    both.extend(start(ACCURACY, *search, "study.n_trials=2").launched)
    first, second = (values["train.lr"] for values in both)
    assert first != second


def test_other_choices_than_those_of_trials_that_the_storage_lost_are_refused(start, tmp_path):
    start(ACCURACY, SEARCH, "study.n_trials=1")
    for file in (tmp_path / "results" / "s").glob("optuna.db*"):
        file.unlink()
    with pytest.raises(InvalidConfig, match=r"^search space: tuning\.rank: choice\(3,4\): .*other values"):
        start(ACCURACY, "tuning.rank=choice(3,4)", "study.n_trials=2")


def test_of_many_models_the_first_are_looked_at_and_that_is_said(start, monkeypatch, capsys):
    looked = []
    monkeypatch.setattr(sweep, "check_models", lambda looks: looked.extend(looks))
    models = ("checkpointing=choice(none,blocks)", "quantization=choice(none,nf4)")
    for most in (5, 4):  # The tuning as it is, and two of each knob.
        monkeypatch.setattr(sweep, "MOST_LOOKS", most)
        looked.clear()
        start(ACCURACY, SEARCH, *models, "study.n_trials=1", f"study.name=s{most}")
        note = f"note: {most} of the space's models are looked at beforehand, not all" in capsys.readouterr().err
        assert (len(looked), note) == (most, most == 4)


def test_values_that_can_t_be_composed_are_left_to_the_launch():
    def refuse(values):
        raise ConfigTypeError("'many' is no number")

    def fail(values):
        raise ZeroDivisionError

    assert sweep.StudySweep._look_at(SimpleNamespace(_composed_trial=refuse), {}) == []
    with pytest.raises(ZeroDivisionError):
        sweep.StudySweep._look_at(SimpleNamespace(_composed_trial=fail), {})


def test_a_baseline_comes_before_the_search_and_is_its_first_proposal(start, tmp_path):
    baseline = "study.baselines={wide: {tuning.rank: 8}}"
    first, *trials = start(ACCURACY, SEARCH, "tuning.alpha_ratio=1", baseline, "study.n_trials=2").launched
    assert (first["hydra.sweep.subdir"], first["tuning.rank"], "trial.number" in first) == ("baselines/wide", 8, False)
    assert (first["tuning.alpha_ratio"], "train.save_weights" in first) == (1, False)
    assert [trial["trial.number"] for trial in trials] == [0, 1]
    assert trials[0]["tuning.rank"] == 8
    assert read_results(tmp_path / "results" / "s").keys() == {0, 1}
    assert start(ACCURACY, SEARCH, "tuning.alpha_ratio=1", baseline, "study.n_trials=2").launched == []


def test_a_study_that_has_its_trials_gets_baselines_that_are_named_and_no_default_ones(start):
    start(ACCURACY, SEARCH, "study.n_trials=1")
    done = (ACCURACY, SEARCH, "study.n_trials=1")
    assert start(*done, "study.baselines=default").launched == []
    (named,) = start(*done, "study.baselines={wide: {tuning.rank: 8}}").launched
    assert named["hydra.sweep.subdir"] == "baselines/wide"


def test_a_named_baseline_that_can_t_be_had_leaves_nothing_behind(start, tmp_path):
    with pytest.raises(InvalidConfig, match=r"^study\.baselines: odd: quantization=nf4 with tuning=full"):
        start(ACCURACY, SEARCH, "study.baselines={odd: {tuning: full, quantization: nf4}}")
    assert not (tmp_path / "results" / "s").exists()


def test_the_front_is_trained_again_with_other_seeds_when_the_search_is_over(start, tmp_path):
    repeats = ("repeats.seeds=2", "repeats.n_trainings=1", "train.seed=5", "study.test=false")
    launched = start(ACCURACY, SEARCH, "study.n_trials=2", *repeats).launched
    assert [values.get("trial.number") for values in launched] == [0, 1, None], "equal trials are one on the front"
    first = launched[2]
    assert (first["hydra.sweep.subdir"], first["train.seed"]) == ("repeats/0-seed6", 6)
    assert (first["tuning.rank"], first["train.save_weights"]) == (launched[0]["tuning.rank"], False)
    assert start(ACCURACY, SEARCH, "study.n_trials=2", *repeats).launched == []
    (more,) = start(ACCURACY, SEARCH, "study.n_trials=2", *repeats, "repeats.n_trainings=9").launched
    assert (more["hydra.sweep.subdir"], more["train.seed"]) == ("repeats/0-seed7", 7)


FACTORED = "hydra/sweeper/sampler=factored"


def another_study(home, *ranks):
    """The folder of a study ``before`` that had trials of the same configuration."""
    folder = home / "results/before"
    for number, rank in enumerate(ranks):
        config = public_dict(composed_trial(compose_all([*FIXED[2:], "study.name=before", f"tuning.rank={rank}"])))
        measured = Measurements(accuracy=rank / 10, wall_seconds=5.0)
        result = TrialResult(number=number, state=State.COMPLETE, measurements=measured, config=config)
        put_back(folder / "trials" / str(number), result)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").touch()
    return folder


def test_what_is_learnt_of_another_study_is_kept_so_that_a_restart_proposes_the_same(start, tmp_path, capsys):
    study, other = tmp_path / "results" / "s", another_study(tmp_path, 2, 4, 16)
    asked = (ACCURACY, SEARCH, FACTORED, "study.learn_from=[before]")
    assert len(start(*asked, "study.n_trials=1").launched) == 1
    assert "study.learn_from: before: of its 3 trials accuracy of 2" in capsys.readouterr().err
    learnt = read_record(study).learnt
    assert [trial["settings"] for trial in learnt["before"]] == [{"tuning.rank": 2}, {"tuning.rank": 4}]
    shutil.rmtree(other / "trials")
    (study / "study.json").unlink()  # The storage knows it, too.
    start(*asked, "study.n_trials=2")
    assert read_record(study).learnt == learnt
    assert "study.learn_from" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("study.learn_from=[befor]", FACTORED), "study.learn_from: befor: there is no .*did you mean before"),
        (("study.learn_from=[before]", "hydra/sweeper/sampler=random"), "it has no model that could be taught"),
        (("study.stop_when=converged", "hydra/sweeper/sampler=tpe"), "it has no model that could promise anything"),
    ],
)
def test_what_needs_models_or_another_study_is_refused_before_anything_runs(start, tmp_path, arguments, said):
    another_study(tmp_path)
    with pytest.raises(InvalidConfig, match=said):
        start(ACCURACY, SEARCH, *arguments)
    assert not (tmp_path / "results" / "s").exists()
