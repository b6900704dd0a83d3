"""What is refused before a study starts, and how much has to be composed for it."""

import os

import pytest
from hydra.core.global_hydra import GlobalHydra

from terrasweep.results.errors import InvalidConfig
from terrasweep.study.preflight import check_space
from terrasweep.study.search_space import parse_space
from tests.composing import compose_all

QUICKSTART = {
    "quantization": "choice(none, int8, nf4)",
    "tuning.rank": "choice(1, 2, 4) if tuning=lora",
    "checkpointing": "choice(none, blocks)",
}


class Composing:
    """Composes with fixed overrides, and counts how often."""

    def __init__(self, *fixed):
        self.fixed, self.count = fixed, 0

    def __call__(self, searched):
        self.count += 1
        return compose_all([*self.fixed, "backbone.checkpoint=null", *searched])


@pytest.fixture(autouse=True)
def _without_hydra(monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASWEEP_HOME", os.environ.get("TERRASWEEP_HOME", str(tmp_path)))
    yield
    GlobalHydra.instance().clear()


def refused(space, *fixed):
    composing = Composing(*fixed)
    with pytest.raises(InvalidConfig) as told:
        check_space(parse_space(space, []), composing)
    return str(told.value).splitlines(), composing.count


def test_what_is_fixed_is_looked_at_before_anything_is_drawn():
    lines, composed = refused({"train.lr": "interval(1e-4,1e-2)"}, "quantization=nf4", "tuning=full")
    assert lines == [
        "quantization=nf4 with tuning=full: low-bit weights take no gradient; use tuning=lora or quantization=none"
    ]
    assert composed == 1


def test_values_that_never_go_with_what_is_fixed_are_named_in_one_line():
    lines, _ = refused(QUICKSTART, "tuning=full")
    assert len(lines) == 1
    assert lines[0].startswith("search space: quantization: choice(none, int8, nf4): int8, nf4 can never be had")
    assert "quantization=int8 with tuning=full" in lines[0]


def test_a_range_of_which_no_value_can_be_had_is_named():
    lines, _ = refused({"tuning.rank": "range(1,9)"}, "tuning=frozen")
    assert len(lines) == 1
    assert "tuning.rank: range(1,9)" in lines[0]


@pytest.mark.parametrize(
    "space",
    [
        QUICKSTART,
        # Each of these contradicts some value of the other, none of them all.
        {"quantization": "choice(none, nf4)", "tuning": "choice(lora, full)"},
        # A key that another searched one switches on, and one that is off for good.
        {"tuning": "choice(lora, frozen)", "tuning.rank": "choice(1,2) if tuning=lora"},
        {"checkpointing.every": "choice(2,3) if checkpointing=every_n"},
    ],
)
def test_what_some_trial_can_have_is_allowed(space):
    check_space(parse_space(space, []), Composing())
