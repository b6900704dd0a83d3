"""Which trials of other studies say what of this one's: by what differs between them, and on which device they ran."""

import dataclasses
import functools
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from terrasweep.config.compose import composed_trial, public_dict
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import learnt_trials
from terrasweep.study.learnt_trials import PriorReader, read_prior
from terrasweep.study.preflight import check_learn_from
from terrasweep.study.search_space import parse_space
from terrasweep.trial.attempt import put_back
from tests.composing import compose_all, compose_trial

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]
SPACE = parse_space(
    {
        "tuning": "choice(lora, frozen)",
        "tuning.rank": "choice(2, 4) if tuning=lora",
        "train.lr": "tag(log, interval(1e-4, 1e-2))",
        "checkpointing": "choice(none, blocks)",
    },
    [],
)
SMALL = ["backbone=prithvi_eo_tiny", "backbone.checkpoint=null"]
SETTINGS = ["tuning=lora", "tuning.rank=4", "train.lr=0.001", "checkpointing=blocks"]
WANTED = {"tuning": "lora", "tuning.rank": 4, "train.lr": 0.001, "checkpointing": "blocks"}
EVERYTHING = {"accuracy": 0.5, "throughput_samples_per_s": 20.0, "peak_memory_mib": 300.0, "training_seconds": 9.0}


@functools.cache
def composed(*overrides):
    """A configuration; each is composed once."""
    return composed_trial(compose_all([*SMALL, *overrides]))


class EachComposed:
    """A composer without Hydra's loader."""

    def __init__(self):
        self.base = compose_all(SMALL)

    def compose_trial(self, searched):
        return composed(*searched)


@pytest.fixture(scope="module")
def reader():
    return PriorReader(SPACE, EachComposed(), OBJECTIVES)


@pytest.fixture(autouse=True)
def device(monkeypatch):
    monkeypatch.setattr(learnt_trials, "cpu_name", lambda: "a CPU")
    monkeypatch.setattr(learnt_trials, "effective_device", lambda _: "cpu")


def ran(*overrides, **changes):
    """A trial of another study, set to what differs in it."""
    config = public_dict(composed(*SETTINGS, *overrides))
    measured = Measurements(accuracy=0.5, throughput_samples_per_s=20.0, peak_memory_mib=300.0, wall_seconds=9.0)
    result = TrialResult(
        number=0, state=State.COMPLETE, measurements=measured, config=config, device="a CPU", searched=dict(WANTED)
    )
    return dataclasses.replace(result, **changes)


def prior(reader, result):
    return reader._prior("before", result)


def told(reader, result):
    found = prior(reader, result)
    return (dict(found.numbers), dict(found.trends))


TREND = {"accuracy": 0.5}
COST = {name: EVERYTHING[name] for name in ("throughput_samples_per_s", "peak_memory_mib")}


@pytest.mark.parametrize(
    ("overrides", "numbers", "trends"),
    [
        ((), EVERYTHING, {}),
        (("study.name=other", "study.n_trials=3", "tracking.uri=sqlite:///other.db"), EVERYTHING, {}),
        (("train.seed=5",), COST, TREND),
        (("data.synthetic.seed=5",), COST, TREND),
        (("data.num_classes=3", "data.class_names=[a,b,c]"), {}, TREND),
        (("train.batch_size=3",), {}, TREND),
        (("train.max_steps=77",), COST, TREND),
        (("decoder=fcn",), {}, {}),
        (("quantization=int8",), {}, {}),
        (("precision=bf16",), {}, {}),
        (("budget.memory_gib=7",), EVERYTHING, {}),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else None,
)
def test_what_differs_says_what_a_trial_tells(reader, overrides, numbers, trends):
    assert told(reader, ran(*overrides)) == (numbers, trends)


def test_settings_are_those_of_the_trial_whatever_was_searched_there(reader):
    assert prior(reader, ran()).settings == WANTED
    assert prior(reader, ran(searched={})).settings == WANTED
    frozen = ran(searched={"tuning": "frozen"})
    frozen.config["tuning"] = public_dict(composed("tuning=frozen"))["tuning"]
    assert prior(reader, frozen).settings == {key: v for key, v in WANTED.items() if key != "tuning.rank"} | {
        "tuning": "frozen"
    }


@pytest.mark.parametrize("overrides", [("tuning.rank=8",), ("train.lr=0.5",)])
def test_what_the_space_does_not_offer_says_nothing(reader, overrides):
    assert prior(reader, ran(*overrides)) is None


def test_speed_is_of_its_device_and_memory_of_its_kind(reader):
    elsewhere = ran(device="another CPU")
    assert told(reader, elsewhere)[0] == {"accuracy": 0.5, "peak_memory_mib": 300.0}
    on_gpu = dataclasses.replace(
        elsewhere, measurements={**elsewhere.measurements, "peak_allocated_mib": 200.0}, device="a GPU"
    )
    assert told(reader, on_gpu)[0] == {"accuracy": 0.5}


def test_only_what_a_trial_measured_itself_and_undisturbed_counts(reader):
    assert told(reader, ran(accuracy_from="7"))[0] == {**COST, "probe_seconds": 9.0}
    assert told(reader, ran(cost_from="7"))[0] == {"accuracy": 0.5, "training_seconds": 9.0}
    disturbed = ran()
    disturbed = dataclasses.replace(disturbed, measurements={**disturbed.measurements, "disturbed": "others"})
    assert "throughput_samples_per_s" not in told(reader, disturbed)[0]


def test_what_went_over_its_budget_tells_its_memory_and_other_ends_tell_nothing(reader):
    over = ran(state=State.INFEASIBLE, reason=Reason.OVER_BUDGET)
    assert told(reader, over) == ({"peak_memory_mib": 300.0}, {})
    assert prior(reader, ran(state=State.INFEASIBLE, reason=Reason.TIMEOUT)) is None
    assert prior(reader, ran(state=State.FAILED, reason=Reason.CRASHED)) is None
    assert prior(reader, ran(config={})) is None, "made from what Optuna's storage knew"


def test_a_study_is_read_whole_and_what_was_learnt_comes_back_from_its_record(reader, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    results = [ran(), ran("train.seed=5"), ran("tuning.rank=8")]
    for number, result in enumerate(results):
        put_back(tmp_path / "results/before/trials" / str(number), dataclasses.replace(result, number=number))
    learnt, said = reader.learn_from("before")
    assert said == (
        "study.learn_from: before: of its 3 trials accuracy of 1, peak_memory_mib of 2, throughput_samples_per_s of 2, "
        "training_seconds of 1, the trend of accuracy of 1"
    )
    kept = {"before": [trial.as_plain() for trial in learnt], "unnamed": [{}]}
    assert read_prior(kept, ["before", "new"]) == learnt
    nothing, said = reader.learn_from("empty")
    assert (nothing, said) == ([], "study.learn_from: empty: none of its 0 trials could be one of this study")


def test_a_name_that_is_no_study_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "results/fields").mkdir(parents=True)
    (tmp_path / "results/fields/study.json").touch()
    check_learn_from(compose_trial("study.name=s", "study.learn_from=[fields]"))
    with pytest.raises(InvalidConfig) as refused:
        check_learn_from(compose_trial("study.name=s", "study.learn_from=[field,s]"))
    itself, missing = str(refused.value).splitlines()
    assert itself == "study.learn_from: s: a study learns from its own trials in any case; drop it"
    assert missing.startswith("study.learn_from: field: there is no ")
    assert missing.endswith("did you mean fields?")


def test_a_group_without_a_name_of_its_own_is_read_as_it_was_searched(reader):
    """``backbone=prithvi_eo_tiny`` is another name than its backbone's."""
    space = parse_space({"backbone": "choice(prithvi_eo_tiny, terramind_v1_tiny)"}, [])
    base = OmegaConf.create({"hydra": {"runtime": {"choices": {"backbone": "prithvi_eo_tiny"}}}})
    other = PriorReader.__new__(PriorReader)
    other._space, other._base, other._searched = space, base, {"backbone"}
    result = SimpleNamespace(config={"backbone": {"name": "b"}}, searched={"backbone": "terramind_v1_tiny"})
    assert other._settings_of(result) == {"backbone": "terramind_v1_tiny"}
