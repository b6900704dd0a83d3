"""``benchmarks/search.py``: tables survive their files, and a replay charges what a search really costs."""

import dataclasses
import itertools
import json
import math
import subprocess
import sys

import numpy as np
import optuna
import pytest
from benchmarks import search
from benchmarks.search import Courses, summary
from benchmarks.search_replay import PEERS, Course, Peer, Replay, draw_rows, replay
from benchmarks.search_table import BadTable, Row, Table, identity, model_table, read_table, write_table

from tests.composing import ROOT

CONDITIONS = {"rank": {"bits": ["few"]}}


def small_table(**changed):
    """Bits and rank bear on accuracy, bits and store on the cost; storing nothing with all bits does not fit."""
    rows = []
    for bits, rank, store in itertools.product(["few", "all"], [2, 8], ["keep", "none"]):
        if bits == "all" and rank == 8:
            continue
        settings = {"bits": bits, "store": store} | ({"rank": rank} if bits == "few" else {})
        memory = 10.0 if (bits, store) == ("all", "keep") else 4.0 if store == "keep" else 2.0
        accuracy = {} if memory > 8 else {"accuracy": 0.5 + 0.01 * rank + 0.1 * (bits == "all")}
        rows.append(
            Row(
                settings=settings,
                measured={"peak_memory_mib": memory} | accuracy,
                train_seconds=100.0,
                probe_seconds=3.0,
            )
        )
    given = {
        "name": "small",
        "rows": rows,
        "quality": frozenset({"bits", "rank"}),
        "cost": frozenset({"bits", "store"}),
        "objectives": {"accuracy": True, "peak_memory_mib": False},
        "of_quality": frozenset({"accuracy"}),
        "limits": {"peak_memory_mib": 8.0},
        "conditions": CONDITIONS,
    }
    return Table(**given | changed)


def test_a_table_survives_its_files(tmp_path):
    table = small_table()
    write_table(table, tmp_path / "small.csv")
    again = read_table(tmp_path / "small")
    assert again == table
    assert again.best_hypervolume() == table.best_hypervolume() > 0
    assert list(table.choices()) == ["bits", "store", "rank"]  # A condition's key comes after what it asks for.


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (None, "No such file"),
        ({"quality": ["bits"]}, "cost, objectives is missing"),
        ({"cost": ["speed"]}, "there is no column speed"),
        ({"limits": {"peak_memory_mib": 1.0}}, "no row has all of accuracy, peak_memory_mib"),
    ],
)
def test_a_table_that_can_t_be_read_is_told_in_a_line(tmp_path, about, told):
    write_table(small_table(), tmp_path / "small")
    file = tmp_path / "small.json"
    if about is None:
        file.unlink()
    else:
        known = json.loads(file.read_text())
        file.write_text(json.dumps(about if "quality" in about else known | about))
    with pytest.raises(BadTable, match=told) as refused:
        read_table(tmp_path / "small")
    assert "\n" not in str(refused.value)


class Listed(optuna.samplers.BaseSampler):
    """Proposes what it is given, in turn."""

    def __init__(self, settings):
        self.settings = settings

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.settings[trial.number][param_name]


ALL_KEEP, ALL_NONE = {"bits": "all", "store": "keep"}, {"bits": "all", "store": "none"}
FEW_KEEP, FEW_NONE = {"bits": "few", "store": "keep", "rank": 2}, {"bits": "few", "store": "none", "rank": 2}


def course_of(settings, *, reuse, table=None):
    peer = Peer(build=lambda *_: Listed(settings), reuse=reuse, what="")
    return replay(Replay(table=table or small_table(), trials=len(settings), predictor_error=0.0, enough=2.0), peer, 0)


def test_a_quality_is_paid_once_where_it_is_reused():
    asked = [FEW_KEEP, FEW_NONE, FEW_KEEP, ALL_NONE]
    assert course_of(asked, reuse=True).seconds == [100.0, 103.0, 106.0, 206.0]
    assert course_of(asked, reuse=False).seconds == [100.0, 200.0, 300.0, 400.0]
    assert (course_of(asked, reuse=True).trainings, course_of(asked, reuse=False).trainings) == (2, 4)


def test_what_does_not_fit_costs_and_gains_nothing_and_tells_no_quality():
    course = course_of([ALL_KEEP, ALL_NONE], reuse=True)
    assert course.seconds == [100.0, 200.0]
    assert course.shares[0] == 0 < course.shares[1]


def test_what_the_table_lacks_is_forbidden_and_costs_nothing():
    table = small_table()
    table = small_table(rows=[row for row in table.rows if row.settings != FEW_NONE])
    settings = [FEW_NONE, FEW_NONE, FEW_KEEP]
    peer = Peer(build=lambda *_: Listed(settings), reuse=True, what="")
    course = replay(Replay(table=table, trials=1, predictor_error=0.0, enough=2.0), peer, 0)
    assert course.seconds == [100.0]


def test_the_whole_table_has_the_best_hypervolume():
    course = course_of([row.settings for row in small_table().rows], reuse=False)
    assert course.shares[-1] == pytest.approx(1.0)
    assert course.shares == sorted(course.shares)


def test_seconds_and_area_are_read_off_the_course():
    course = Course(seconds=[10.0, 30.0], shares=[0.5, 1.0])
    assert [course.seconds_to(share) for share in (0.5, 0.9)] == [10.0, 30.0]
    assert course.area(40.0) == pytest.approx((20 * 0.5 + 10 * 1.0) / 40)
    assert Course(seconds=[10.0], shares=[0.5]).seconds_to(0.9) is None


def test_a_median_counts_what_was_not_reached_as_more():
    reached = Course(seconds=[10.0], shares=[1.0], own_seconds=[0.1], trainings=1)
    missed = Course(seconds=[50.0], shares=[0.2], own_seconds=[0.1], trainings=1)
    assert summary([reached, reached, missed], 100.0)["median_to_0.95"] == 10.0
    assert summary([reached, missed, missed], 100.0)["median_to_0.95"] is None


def test_searches_go_on_from_their_file_and_those_of_another_comparison_are_refused(tmp_path, monkeypatch):
    asked = []

    def instead(compared, peer, seed):
        asked.append(seed)
        return Course(seconds=[10.0 + seed], shares=[0.9], own_seconds=[0.1], trainings=1)

    monkeypatch.setattr(search, "replay", instead)
    file, one = tmp_path / "out.json", Replay(table=small_table(), trials=2, predictor_error=0.0)
    assert not Courses(one, file).search("tpe", range(2), until=-math.inf)
    assert Courses(one, file).search("tpe", range(2), until=math.inf)
    later = Courses(one, file)
    assert later.search("tpe", range(3), until=math.inf)
    assert asked == [0, 1, 2]
    assert later.summary("tpe", range(3))["seconds_to_0.90"] == [10.0, 11.0, 12.0]
    with pytest.raises(SystemExit, match=r"it holds searches of .* use another file"):
        Courses(dataclasses.replace(one, trials=9), file)


def test_the_model_has_as_many_configurations_as_it_says():
    table = model_table()
    assert len(table.rows) == 16_128
    quality = {}
    for row in table.rows:
        key = identity({k: v for k, v in row.settings.items() if k in table.quality})
        if "accuracy" in row.measured:
            quality.setdefault(key, set()).add(row.measured["accuracy"])
    assert {len(found) for found in quality.values()} == {1}
    fits = np.mean([table.values(row) is not None for row in table.rows])
    assert 0.5 < fits < 0.9


def test_rows_alone_are_drawn():
    table = small_table()
    for settings in draw_rows(table)(60, np.random.default_rng(0), {"store": "none"}):
        assert table.row(settings) is not None
        assert settings["store"] == "none"


@pytest.mark.parametrize("name", ["tpe", "nsgaii", "grouped_tpe", "factored"])
def test_searches_go_through_a_table(name):
    course = replay(Replay(table=small_table(), trials=5, predictor_error=0.03), PEERS[name], 0)
    assert course.seconds == sorted(course.seconds)
    assert course.shares[-1] > 0


def test_the_command_shows_its_samplers_and_refuses_others_in_a_line():
    command = [sys.executable, str(ROOT / "benchmarks" / "search.py")]
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in listed.splitlines()} == PEERS.keys()
    refused = subprocess.run([*command, "--samplers", "magic"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "--samplers magic: unknown; --list shows them\n")
