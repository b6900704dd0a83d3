"""``benchmarks/record_table.py``: a study as a table, with what each configuration really costs."""

import dataclasses
import itertools
import statistics

import pytest
from benchmarks.record_table import combinations, describe, study_table
from benchmarks.search_table import BadTable, identity, read_table, write_table

from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.search_space import parse_space
from tests.composing import ROOT, compose_all
from tests.studies import study_record

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="throughput_samples_per_s", direction="maximize"),
]
SPACE = {
    "tuning": "choice(lora, frozen)",
    "tuning.rank": "choice(1, 4) if tuning=lora",
    "checkpointing": "choice(none, blocks)",
    "train.lr": "choice(0.001, 0.01)",
}
RECORD = study_record(objectives=OBJECTIVES, space=SPACE, data={"splits": [{"name": "val", "samples": 64}]})
CONFIG = {"train": {"batch_size": 8}, "probe": {"steps": 6, "evaluation_batches": 2}, "budget": {"memory_gib": None}}


def trial(number, searched, **changed):
    """A training of 60 timed steps of 8 samples: 48 s of them, 60 s with the untimed ones, 8 s of evaluation."""
    measured = {"accuracy": 0.5, "throughput_samples_per_s": 10.0, "peak_memory_mib": 100.0}
    measured |= {"train_seconds": 48.0, "fit_seconds": 60.0, "evaluate_seconds": 8.0, "wall_seconds": 70.0}
    quality = {k: v for k, v in searched.items() if k != "checkpointing"}
    cost = {k: v for k, v in searched.items() if k != "train.lr"}
    result = TrialResult(
        number=number,
        state=State.COMPLETE,
        measurements=measured | changed.pop("measurements", {}),
        searched=searched,
        config=CONFIG,
        quality_key=str(sorted(quality.items())),
        cost_key=str(sorted(cost.items())),
    )
    return dataclasses.replace(result, **changed)


def probe(number, searched, source, **measurements):
    """A trial that only probed: of its training nothing is told."""
    untold = dict.fromkeys(("train_seconds", "fit_seconds", "evaluate_seconds"))
    return trial(number, searched, accuracy_from=str(source), measurements=untold | measurements)


LORA = {"tuning": "lora", "tuning.rank": 4, "checkpointing": "none", "train.lr": 0.01}
BLOCKS = LORA | {"checkpointing": "blocks"}


def rows_of(trials, baselines=None, record=RECORD):
    return study_table(record, trials, baselines or {}, "mine").rows


def test_a_training_costs_what_it_took_and_a_probe_that_without_what_it_leaves_out():
    (row,) = rows_of([trial(0, LORA)])
    assert row.settings == LORA
    assert row.train_seconds == 70.0
    # 54 of 60 timed steps are left out, and of 64 validation samples all but two batches of 8.
    assert row.probe_seconds == pytest.approx(70.0 - 48.0 * 54 / 60 - 8.0 * 48 / 64)


def test_a_probed_configuration_would_train_as_its_mathematics_did_at_its_own_speed():
    _, row = rows_of([trial(0, LORA), probe(1, BLOCKS, 0, throughput_samples_per_s=5.0, wall_seconds=12.0)])
    assert row.train_seconds == pytest.approx(70.0 + 60.0)
    assert row.probe_seconds == 12.0


def test_probes_of_one_cost_count_as_their_median_and_speeds_are_pooled():
    other = BLOCKS | {"train.lr": 0.001}
    took = [
        probe(n, BLOCKS, 0, wall_seconds=s, throughput_samples_per_s=t) for n, s, t in ((1, 9.0, 4.0), (2, 11.0, 4.0))
    ]
    rows = rows_of([trial(0, LORA), *took, trial(3, other, measurements={"throughput_samples_per_s": 4.0})])
    assert len(rows) == 3, "trials of one configuration are one row"
    assert [row.probe_seconds for row in rows[1:]] == [10.0, 10.0]


def test_an_answered_configuration_costs_what_its_sources_did():
    small = LORA | {"tuning.rank": 1}
    answered = trial(
        2, LORA | {"train.lr": 0.001}, accuracy_from="3", cost_from="0", measurements={"wall_seconds": 0.01}
    )
    source = trial(
        3, small | {"train.lr": 0.001}, quality_key=answered.quality_key, measurements={"wall_seconds": 90.0}
    )
    row = rows_of([trial(0, LORA), answered, source])[1]
    assert row.train_seconds == 90.0
    assert row.probe_seconds == rows_of([trial(0, LORA)])[0].probe_seconds


def test_what_does_not_fit_costs_what_its_end_took_and_has_no_objectives():
    limited = {"config": CONFIG | {"budget": {"memory_gib": 0.1}}}
    over = {"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET, **limited}
    ended = trial(1, BLOCKS, **over, measurements={"peak_memory_mib": 200.0, "wall_seconds": 7.0})
    as_ended = trial(2, BLOCKS | {"train.lr": 0.001}, **over, cost_from="1", measurements={"wall_seconds": 0.01})
    crashed = trial(3, LORA | {"tuning.rank": 1}, state=State.FAILED, reason=Reason.CRASHED)
    table = study_table(RECORD, [trial(0, LORA, **limited), ended, as_ended, crashed], {}, "mine")
    assert table.limits == {"peak_memory_mib": 0.1 * 1024}
    assert [(row.train_seconds, row.probe_seconds) for row in table.rows[1:]] == [(7.0, 7.0)] * 2
    assert [table.values(row) is None for row in table.rows] == [False, True, True]


def test_a_baseline_s_accuracy_brings_its_seconds():
    answered = probe(0, LORA, "baselines/lora", wall_seconds=5.0)
    with pytest.raises(BadTable, match=r"trial 0: its accuracy is of baselines/lora, whose seconds"):
        rows_of([answered])
    (row,) = rows_of([answered], {"lora": trial(None, LORA)})
    assert (row.train_seconds, row.probe_seconds) == (70.0, 5.0)


def test_keys_and_conditions_stand_beside_the_rows_and_survive_the_files(tmp_path):
    lora = itertools.product([1, 4], ["none", "blocks"], [0.001, 0.01])
    trials = [trial(n, dict(zip(SPACE, ("lora", *values), strict=True))) for n, values in enumerate(lora)]
    table = study_table(
        RECORD, [*trials, trial(8, {"tuning": "frozen", "checkpointing": "none", "train.lr": 0.01})], {}, "mine"
    )
    assert table.quality == {"tuning", "tuning.rank", "train.lr"}
    assert table.cost == {"tuning", "tuning.rank", "checkpointing"}
    assert table.conditions == {"tuning.rank": {"tuning": ["lora"]}}
    assert table.of_quality == {"accuracy"}
    assert combinations(table) == 12
    assert describe(table).startswith("9 configurations of 12, 9 of them complete; 5 differ in what bears on the accur")
    write_table(table, tmp_path / "mine.csv")
    assert read_table(tmp_path / "mine").rows == table.rows


def test_a_key_comes_after_what_it_depends_on_over_several_conditions():
    space = {"c": "choice(x) if b=x", "b": "choice(x, y) if a=x", "a": "choice(x, y)"}
    searched = [{"a": "x", "b": "x", "c": "x"}, {"a": "x", "b": "y"}, {"a": "y"}]
    trials = [trial(number, values) for number, values in enumerate(searched)]
    table = study_table(dataclasses.replace(RECORD, space=space), trials, {}, "mine")
    assert list(table.choices()) == ["a", "b", "c"]
    assert combinations(table) == 3


def test_parts_of_a_batch_bear_on_the_accuracy_where_the_trials_say_so():
    record = dataclasses.replace(RECORD, space={"train.accumulate": "choice(1, 2)", "train.lr": "choice(0.001, 0.01)"})
    whole, parts = ({"train.accumulate": n, "train.lr": 0.01} for n in (1, 2))
    same = [trial(0, whole, quality_key="a"), trial(1, parts, quality_key="a")]
    other = [same[0], dataclasses.replace(same[1], quality_key="b")]
    assert study_table(record, same, {}, "mine").quality == {"train.lr"}
    assert study_table(record, other, {}, "mine").quality == {"train.lr", "train.accumulate"}


def test_trials_of_two_states_of_the_code_make_no_table():
    with pytest.raises(BadTable, match=r"trials 0 and 1 have the same settings, but something else"):
        rows_of([trial(0, LORA), trial(1, LORA, quality_key="another")])


RECORDED = sorted((ROOT / "benchmarks" / "tables").glob("*.csv"))


def test_recorded_tables_lie_beside_the_benchmark():
    assert RECORDED
    for file in RECORDED:
        rows = read_table(file).rows
        assert len({identity(row.settings) for row in rows}) == len(rows)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_a_recorded_table_holds_together(file):
    table = read_table(file)
    complete = [row for row in table.rows if table.values(row) is not None]
    assert len(complete) >= 200
    by_quality, by_cost = {}, {}
    for row in complete:
        quality, cost = ({k: v for k, v in row.settings.items() if k in keys} for keys in (table.quality, table.cost))
        by_quality.setdefault(identity(quality), set()).add(row.measured["accuracy"])
        measured = (row.measured["throughput_samples_per_s"], row.measured["peak_memory_mib"], row.probe_seconds)
        by_cost.setdefault(identity(cost), set()).add(measured)
        assert 0 < row.measured["accuracy"] <= 1
        assert min(*measured, row.train_seconds) > 0
        assert all(table.is_active(key, row.settings) == (key in row.settings) for key in (*table.quality, *table.cost))
    assert {len(found) for found in (*by_quality.values(), *by_cost.values())} == {1}
    assert statistics.median(row.train_seconds / row.probe_seconds for row in complete) > 1


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_a_recorded_table_is_of_the_study_beside_it(file):
    composed = compose_all([f"sweeps={file.stem}"], searched=[file.parent, ROOT])
    space = parse_space(composed.hydra.sweeper.params, [])
    table = read_table(file)
    for key in space.keys:
        assert set(table.choices()[key.name]) <= set(key.distribution.choices)
    assert {key.name for key in space.keys} == set(table.choices())
    assert table.objectives == {o.name: o.direction == "maximize" for o in composed.study.objectives}
