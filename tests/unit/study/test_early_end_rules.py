"""What can't end early is refused, each in one line with a way out."""

import optuna
import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.study.early_end_rules import check_early_ends, find_conflicts
from tests.composing import compose_trial

MEDIAN = optuna.pruners.MedianPruner()
ACCURACY, LOSS = "{name:accuracy,direction:maximize}", "{name:val_loss,direction:minimize}"
MEMORY, SPEED = "{name:peak_memory_mib,direction:minimize}", "{name:throughput_samples_per_s,direction:maximize}"
VALIDATED = "train.validate_every=5"
STOP = "study.stop_dominated=true"


def conflicts(*overrides, objectives=(ACCURACY,), pruner=None, searched=()):
    config = compose_trial(f"study.objectives=[{','.join(objectives)}]", *overrides)
    return [*find_conflicts(pruner, config, searched)]


@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
def test_a_pruner_takes_one_objective_with_a_curve(objective):
    assert conflicts(VALIDATED, objectives=[objective], pruner=MEDIAN) == []


@pytest.mark.parametrize("others", [[SPEED], [MEMORY], [SPEED, MEMORY], [LOSS]])
def test_what_is_dominated_can_be_stopped_with_a_curve_and_a_cost_or_two_curves(others):
    assert conflicts(VALIDATED, STOP, objectives=[ACCURACY, *others]) == []


def test_without_either_nothing_is_asked_for():
    assert conflicts(objectives=[MEMORY]) == []


@pytest.mark.parametrize(
    ("given", "says", "way_out"),
    [
        ({"pruner": MEDIAN, "objectives": [ACCURACY, MEMORY]}, "study.objectives has 2", STOP),
        ({"pruner": MEDIAN, "objectives": [MEMORY]}, "peak_memory_mib is no validation metric", "use accuracy"),
        ({"pruner": MEDIAN, "searched": ["train.validate_every"]}, "is searched", "fix it"),
        ({"stop": True}, "study.objectives has one", "median"),
        ({"stop": True, "objectives": [SPEED, MEMORY]}, "needs a learning curve", "have accuracy"),
        (
            {"stop": True, "objectives": [ACCURACY, "{name:energy_j,direction:minimize}"]},
            "minimize energy_j is not known while a trial trains",
            "use throughput_samples_per_s",
        ),
        (
            {"stop": True, "objectives": [ACCURACY, "{name:peak_memory_mib,direction:maximize}"]},
            "maximize peak_memory_mib is not known",
            "use throughput_samples_per_s",
        ),
    ],
)
def test_each_contradiction_is_one_line(given, says, way_out):
    stop = [STOP] if given.pop("stop", False) else []
    (line,) = conflicts(VALIDATED, *stop, **given)
    assert says in line
    assert way_out in line.partition(says)[2]


@pytest.mark.parametrize(
    ("given", "who"),
    [({"pruner": MEDIAN}, "hydra/sweeper/pruner"), ({"objectives": [ACCURACY, MEMORY], "stop": True}, STOP)],
)
def test_without_validations_in_between_there_is_no_curve(given, who):
    stop = [STOP] if given.pop("stop", False) else []
    assert conflicts(*stop, **given) == [
        f"{who}: nothing is validated before the end; set train.validate_every, for example epoch"
    ]


@pytest.mark.parametrize(
    ("given", "who"),
    [({"pruner": MEDIAN}, "hydra/sweeper/pruner"), ({"objectives": [ACCURACY, MEMORY], "stop": True}, STOP)],
)
@pytest.mark.parametrize(
    ("length", "every", "told"),
    [
        (["train.max_steps=17", "train.untimed_steps=3"], "20", "20 steps"),
        (["train.max_steps=null", "train.epochs=2"], "3epochs", "2 epochs"),
    ],
)
def test_a_first_validation_at_the_end_of_a_training_or_later_ends_none(given, who, length, every, told):
    stop = [STOP] if given.get("stop") else []
    given = {key: value for key, value in given.items() if key != "stop"}
    assert conflicts(*stop, *length, f"train.validate_every={every}", **given) == [
        f"{who} with train.validate_every={every}: the training is over after {told}, and nothing is validated before; "
        "validate more often, or train for longer"
    ]
    sooner = "19" if every == "20" else "epoch"
    assert conflicts(*stop, *length, f"train.validate_every={sooner}", **given) == []
    assert conflicts(*length, f"train.validate_every={every}", objectives=[ACCURACY, MEMORY]) == [], "nobody waits"


def test_all_are_told_at_once():
    config = compose_trial("study.objectives=[" + MEMORY + "]")
    with pytest.raises(InvalidConfig) as refused:
        check_early_ends(MEDIAN, config, [])
    assert len(str(refused.value).splitlines()) == 2
