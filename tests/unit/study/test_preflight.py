"""What is checked before a study starts: what is fixed first, then each value, then the combinations."""

import os

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf.errors import OmegaConfBaseException

from terrasweep.results.errors import InvalidConfig
from terrasweep.study import preflight
from terrasweep.study.preflight import check_space
from terrasweep.study.search_space import parse_space
from tests.composing import compose_all, compose_trial

MANY = 5000


class Composer:
    """Composes as a sweep does, and counts."""

    def __init__(self):
        self.composed = []

    def __call__(self, searched):
        self.composed.append(searched)
        return compose_all(["backbone.checkpoint=null", *searched])


@pytest.fixture
def composer():
    return Composer()


@pytest.mark.slow
def test_thousands_of_choices_are_all_checked_and_few_composed(composer):
    good = ",".join(str(n) for n in range(1, MANY))
    space = parse_space({}, [f"tuning.rank=choice({good},-7)"])
    with pytest.raises(InvalidConfig, match=r"^tuning.rank=-7: .*at least 1") as refused:
        preflight.check_space(space, composer)
    assert len(str(refused.value).splitlines()) == 1
    assert len(composer.composed) <= 60


def test_a_last_choice_of_another_type_is_found(composer):
    numbers = ",".join(str(n) for n in range(1, 100))
    with pytest.raises(OmegaConfBaseException, match="could not be converted"):
        preflight.check_space(parse_space({}, [f"train.batch_size=choice({numbers},many)"]), composer)


def test_thousands_of_bad_choices_are_not_all_told(composer):
    space = parse_space({}, [f"tuning.rank=choice({','.join(str(-n) for n in range(1, MANY))})"])
    with pytest.raises(InvalidConfig) as refused:
        preflight.check_space(space, composer)
    assert 1 < len(str(refused.value).splitlines()) <= 30


def test_texts_and_lists_reach_the_configuration_as_they_are(composer):
    files = [f"/w/epoch={n}-step=10.ckpt" for n in range(40)]
    quoted = ",".join(f"'{file}'" for file in files)
    told = "backbone.checkpoint=/w/epoch={}-step=10.ckpt: "
    with pytest.raises(InvalidConfig) as refused:
        preflight.check_space(parse_space({}, [f"backbone.checkpoint=choice({quoted})"]), composer)
    lines = str(refused.value).splitlines()
    assert [line for line in lines if line.startswith(told.format(0))], lines
    assert OverridesParser.create().parse_override(composer.composed[1][0]).value() == files[0]


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


def test_values_that_go_with_what_is_fixed_but_never_with_each_other_are_refused_with_the_rule():
    together = {"quantization": "choice(nf4, int8) if tuning=full", "tuning": "choice(full)"}
    lines, composed = refused(together)
    assert composed > preflight._DRAWS, "each draw is looked at"
    assert len(lines) == 1
    assert "with tuning=full: low-bit weights take no gradient" in lines[0]


def test_many_choices_of_a_group_are_composed_each_and_that_takes_a_word(monkeypatch, capsys):
    monkeypatch.setattr(preflight, "_COMPOSED", 2)
    composing = Composing()
    check_space(parse_space({"quantization": "choice(none, int8, nf4)"}, []), composing)
    assert capsys.readouterr().out == "Checking 3 choices of quantization ...\n"
    assert composing.count >= 3


@pytest.mark.parametrize("key", ["repeats.seeds", "confirm.rounds", "study.seed", "tracking.uri"])
def test_what_is_read_once_for_all_trials_can_t_be_searched(composer, key):
    with pytest.raises(InvalidConfig, match=rf"^search space: {key}: choice\(2,3\): it is the study's.*; fix it$"):
        preflight.check_space(parse_space({}, [f"{key}=choice(2,3)"]), composer)
    assert composer.composed == []


def test_a_study_whose_numbers_are_to_count_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    config = compose_trial("study.name=mine", "reuse.studies=[earlyer,mine]")
    missing = tmp_path / "results" / "earlyer" / "study.json"
    with pytest.raises(InvalidConfig) as refused:
        preflight.check_reuse(config)
    assert str(refused.value) == f"reuse.studies: earlyer: there is no {missing}; run it first"
    for name in ("earlier", "other"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "study.json").touch()
    with pytest.raises(InvalidConfig, match=r"; did you mean earlier\?$"):
        preflight.check_reuse(config)
    preflight.check_reuse(compose_trial("study.name=mine", "reuse.studies=[earlier,mine]"))


def test_a_study_of_probes_alone_is_refused():
    with pytest.raises(InvalidConfig, match=r"^probe\.alone=true: no trial would have an accuracy; leave it out"):
        preflight.check_reuse(compose_trial("probe.alone=true"))
