"""What was trained beside the trials, as it lies on disk."""

import dataclasses
from typing import Any

import pytest

from terrasweep.results.extra_trainings import (
    UNSETTLED,
    Role,
    accuracies_of_other_seeds,
    of_other_seeds,
    read_extra_results,
    read_repeats,
    repeat_name,
)
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult

CONFIG: dict[str, Any] = {
    "study": {"name": "s"},
    "tuning": {"rank": 4},
    "train": {"lr": 0.1, "seed": 0, "save_weights": True},
}
REPEATED: dict[str, Any] = CONFIG | {"study": {"name": "t"}, "train": {"lr": 0.1, "seed": 1, "save_weights": False}}


def trial(number, key="", **changes):
    fields = {"state": State.COMPLETE, "config": CONFIG, "measurements": Measurements(accuracy=0.9)}
    return TrialResult(number=number, quality_key=key, **fields | changes)


def write(study, name, accuracy=0.5, *, settled=True, **changes):
    own = study / name
    own.mkdir(parents=True)
    result = trial(None, config=REPEATED, measurements=Measurements(accuracy=accuracy), metrics={"f1": accuracy / 2})
    (own / "result.json").write_text(dataclasses.replace(result, **changes).to_json())
    if not settled:
        (own / UNSETTLED).write_text("attempt")


def test_what_still_runs_or_can_t_be_read_is_left_out_and_the_rest_is_in_the_order_of_their_starts(tmp_path):
    write(tmp_path, "baselines/b", started="2026-01-01")
    write(tmp_path, "baselines/a", started="2026-01-02", state=State.INFEASIBLE, reason=Reason.OVER_BUDGET)
    write(tmp_path, "baselines/running", settled=False)
    write(tmp_path, "baselines/broken")
    (tmp_path / "baselines" / "broken" / "result.json").write_text("{")
    (tmp_path / "baselines" / "new").mkdir()
    assert list(read_extra_results(tmp_path, Role.BASELINE)) == ["b", "a"]
    assert read_extra_results(tmp_path, Role.REPEAT) == {}


def test_each_result_is_parsed_once_for_as_long_as_its_file_stays(tmp_path, monkeypatch):
    parsed = []
    from_json = TrialResult.from_json
    monkeypatch.setattr(TrialResult, "from_json", lambda text: parsed.append(text) or from_json(text))
    for name in ("a", "b"):
        write(tmp_path, f"baselines/{name}")
    first = read_extra_results(tmp_path, Role.BASELINE)
    assert (len(parsed), read_extra_results(tmp_path, Role.BASELINE), len(parsed)) == (2, first, 2)
    write(tmp_path, "draft", 0.75)
    (tmp_path / "draft" / "result.json").replace(tmp_path / "baselines" / "b" / "result.json")
    found = read_extra_results(tmp_path, Role.BASELINE)
    assert (len(parsed), found["a"], found["b"].value("accuracy")) == (3, first["a"], 0.75)


def test_a_repeat_s_name_says_of_which_trial_and_with_which_seed(tmp_path):
    for number, seed in [(7, 3), (7, -1), (12, 3)]:
        write(tmp_path, f"repeats/{repeat_name(number, seed)}", accuracy=seed / 100)
    write(tmp_path, "repeats/notes")
    found = read_repeats(tmp_path)
    assert {number: list(by_seed) for number, by_seed in found.items()} == {7: [-1, 3], 12: [3]}
    assert found[7][3].value("accuracy") == 0.03


@pytest.mark.parametrize(
    "other",
    [
        {"config": REPEATED | {"tuning": {"rank": 8}}},
        {"config": REPEATED | {"train": REPEATED["train"] | {"lr": 0.2}}},
        {"state": State.INFEASIBLE, "reason": Reason.DIVERGED},
    ],
)
def test_repeats_of_another_configuration_and_those_without_an_answer_do_not_count(tmp_path, other):
    write(tmp_path, "repeats/0-seed1", 0.4)
    write(tmp_path, "repeats/0-seed2", 0.6, **other)
    write(tmp_path, "repeats/5-seed1", 0.1)
    assert of_other_seeds(tmp_path, [trial(0)]) == {0: {1: {"accuracy": 0.4, "f1": 0.2}}}
    assert accuracies_of_other_seeds(tmp_path, [trial(0), trial(1)]) == {0: {1: 0.4}}


def test_trials_with_the_same_accuracy_share_their_repeats(tmp_path):
    write(tmp_path, "repeats/0-seed2", 0.4)
    write(tmp_path, "repeats/0-seed1", 0.6)
    trials = [trial(0, "k"), trial(1, "k"), trial(2, "other"), trial(3)]
    assert accuracies_of_other_seeds(tmp_path, trials) == {0: {1: 0.6, 2: 0.4}, 1: {1: 0.6, 2: 0.4}}
    assert list(of_other_seeds(tmp_path, trials)) == [0], "pooled by its key, each counts once"


def test_a_trial_of_a_metric_alone_has_no_accuracy_to_share(tmp_path):
    write(tmp_path, "repeats/0-seed1", measurements=Measurements(), metrics={"f1": 0.5})
    assert of_other_seeds(tmp_path, [trial(0)]) == {0: {1: {"f1": 0.5}}}
    assert accuracies_of_other_seeds(tmp_path, [trial(0)]) == {0: {}}
