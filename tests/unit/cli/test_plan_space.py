"""A space is predicted as far as it bears on memory, and the largest batch of a configuration is looked for."""

from dataclasses import replace

import pytest

from terrasweep.cli import plan_space as planning
from terrasweep.cli.plan_space import fixed_overrides, is_about_a_space, plan_cards, plan_space
from terrasweep.config.compose import compose
from terrasweep.machine.files import write_atomically
from terrasweep.predict import measured_peaks
from terrasweep.predict.many_predictions import ManyPredictions
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.report.sample_study import study

OWN = [
    *("backbone.checkpoint=null", "search_spaces=quickstart", "quantization=none", "tuning.targets=mlp"),
    "train.batch_size=choice(2,4)",
]


@pytest.fixture
def asked(home, monkeypatch, tmp_path):
    """100 MiB and 50 a sample, and whose predictions were asked for."""
    monkeypatch.setattr(measured_peaks, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked = []

    def answer(configs, device, log, hear):
        assert device == "cuda"
        asked.append([config.train.batch_size for config in configs])
        sizes = [100.0 + 50 * config.train.batch_size for config in configs]
        predictions = [
            Prediction(
                device="cuda", on_device={Phase.STEADY_STEP: {Kind.GRADIENTS: 8.0}}, reserved={Phase.STEADY_STEP: s}
            )
            for s in sizes
        ]
        hear(len(configs), len(configs))
        return ManyPredictions(predictions=predictions, new=len(configs))

    monkeypatch.setattr(planning, "predict_all", answer)
    return asked


def test_a_space_is_asked_for_where_something_names_one():
    assert is_about_a_space(["sweeps=own_data"])
    assert is_about_a_space(["a_study_that_ran"])
    assert not is_about_a_space(["tuning.rank=4"])
    with pytest.raises(InvalidConfig):
        is_about_a_space(["tuning.rank=choice(1"])


def test_keys_that_bear_on_no_memory_are_left_out(asked):
    found = plan_space([*OWN, "train.lr=choice(0.1,0.2)"], {"card": 1.0})
    assert "train.lr" not in found.keys
    assert "tuning.rank" in found.keys
    assert found.keys[-1] == "train.batch_size"
    assert len(asked[0]) == len(found.rows)
    assert any("they don't bear on memory: train.lr" in note for note in found.notes)
    assert all(row.peak.predicted == 100 + 50 * row.batch_size for row in found.rows)
    assert found.rows[0].peak.gradients == 8.0
    assert not list(planning.Path(planning.tempfile.gettempdir()).glob("terrasweep-plan-*")), "nothing is left behind"


def test_the_budget_is_the_limit_where_no_other_is_given(asked):
    assert plan_space(OWN, {}).limits == {}
    assert plan_space([*OWN, "budget.memory_gib=24"], {}).limits == {"24 GiB": 24.0}
    assert plan_space([*OWN, "budget.memory_gib=24"], {"t4": 14.0}).limits == {"t4": 14.0}


def test_what_contradicts_itself_is_left_out_and_counted(asked):
    found = plan_space([*OWN, "tuning.rank=2", "quantization.skip=choice([],[blocks.0])"], {})
    assert {row.searched["quantization.skip"] for row in found.rows} == {"[]"}
    assert any(note.startswith("4 combinations of the space contradict themselves") for note in found.notes)


def test_a_space_that_contradicts_itself_altogether_is_refused(asked):
    with pytest.raises(InvalidConfig, match=r"quantization\.skip"):
        plan_space([*OWN, "tuning.rank=2", "quantization.skip=choice([blocks.0],[blocks.1])"], {})
    assert asked == []


def test_a_configuration_with_other_data_is_completed_by_itself(asked, monkeypatch):
    completed, tiles = planning.completed, []
    monkeypatch.setattr(planning, "completed", lambda config: tiles.append(config.data.tile_px) or completed(config))
    found = plan_space([*OWN, "tuning.rank=2", "data.tile_px=choice(32,64)"], {})
    assert compose_trial().data.tile_px == 64
    others = [row for row in found.rows if row.searched["data.tile_px"] == 32]
    assert len(others) == len(found.rows) / 2
    assert tiles == [64, *[32] * len(others)], "those with the data of what is fixed are as that is"


def test_of_a_long_range_the_ends_are_taken_and_that_is_said(asked):
    found = plan_space([*OWN, "tuning.rank=int(interval(2,64))"], {})
    assert {row.searched["tuning.rank"] for row in found.rows} == {2, 64}
    assert "Of tuning.rank the ends of the range are taken." in found.notes


def test_a_study_stands_for_its_overrides_and_its_space(asked, home):
    record, _ = study()
    record = replace(
        record, name="ran", overrides=["backbone.checkpoint=null"], space={"train.batch_size": "choice(2, 8)"}
    )
    write_atomically(home / "results" / "ran" / "study.json", record.to_json())
    assert fixed_overrides(["ran", "decoder=fcn", "tuning.rank=choice(1,2)"]) == [
        "backbone.checkpoint=null",
        "decoder=fcn",
    ]
    found = plan_space(["ran"], {})
    assert [row.searched for row in found.rows] == [{"train.batch_size": 2}, {"train.batch_size": 8}]
    with pytest.raises(InvalidConfig, match="study nobody: there is no"):
        plan_space(["nobody"], {})


@pytest.mark.parametrize(("gib", "largest"), [(1.0, 18), (0.5, 8), (0.1, 0)])
def test_the_largest_batch_is_predicted_itself(asked, gib, largest):
    """Calibrated by defaults, which add nothing on a GPU."""
    config = compose_trial("train.batch_size=4")
    found = plan_cards(config, {"card": gib})
    assert found.rows[0].batch_size == 4
    assert found.largest_batch(found.rows[0], "card") == largest
    predicted = {batch for batches in asked for batch in batches}
    assert predicted >= {4, 8, *([largest] if largest else [])}


def test_bad_input_is_a_line_each(asked):
    with pytest.raises(InvalidConfig, match=r"^search space: tuning.rank: "):
        plan_space([*OWN, "tuning.rank=range(1,1)"], {})
    with pytest.raises(InvalidConfig, match="quantization=nf5"):
        plan_space([*OWN, "quantization=nf5"], {})


def test_what_fixes_something_is_what_a_sweep_would_take(home):
    assert compose(fixed_overrides([*OWN, "decoder=fcn"])).decoder.name
