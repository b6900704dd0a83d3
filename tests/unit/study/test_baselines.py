"""Which baselines a study can have, and which of them its search space offers."""

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from terrasweep.config.compose import composed_trial, register_schema
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.extra_trainings import Role
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import baselines
from terrasweep.study.baselines import Baseline, find_baselines, proposals
from terrasweep.study.composer import Composer
from terrasweep.study.extra_trainings import ExtraTraining, changed
from terrasweep.study.search_space import parse_space
from tests.composing import ROOT

QUICKSTART = {
    "quantization": "choice(none, int8, nf4)",
    "tuning.rank": "choice(1, 2, 4, 8, 16) if tuning=lora",
    "tuning.targets": "choice(attention, mlp, attention_mlp) if tuning=lora",
    "checkpointing": "choice(none, blocks)",
}
EVERYTHING = QUICKSTART | {"tuning": "choice(lora, full)", "train.lr": "tag(log, interval(1e-5, 1e-2))"}


@pytest.fixture
def find(monkeypatch, tmp_path):
    """The baselines of a study with fixed overrides and a space."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(ROOT))
    monkeypatch.setattr(baselines, "check_models", lambda _: None)
    register_schema()

    def run(given, *fixed, space=QUICKSTART):
        GlobalHydra.instance().clear()
        fixed = ("backbone.checkpoint=null", *fixed)
        with initialize_config_module("terrasweep.conf"):
            loader = GlobalHydra.instance().config_loader()
            overrides = [f"hydra.searchpath=[file://{ROOT}]", "study.name=s"]
            config = loader.load_configuration("config", overrides, run_mode=RunMode.MULTIRUN)
            HydraConfig.instance().set_config(config)

            def compose_changed(own):
                composed[tuple(own)] = Composer(loader, config, changed(fixed, own)).base
                return composed[tuple(own)]

            compose_trial, composed = Composer(loader, config, fixed).compose, {}
            found = find_baselines(given, parse_space(space, []), compose_changed, compose_trial, tmp_path)
            run.left_out = found.left_out
            configs = {b.training.name: composed_trial(composed[b.training.overrides]) for b in found.measured}
        return {b.training.name: b for b in found.measured}, configs

    return run


def test_the_default_ones_are_plain_whatever_the_study_sets(find, capsys):
    knobs = ("tuning.rank=4", "tuning.use_dora=true", "checkpointing=every_n", "checkpointing.every=2", "train.lr=0.5")
    found, configs = find("default", *knobs)
    full, lora = configs["full"], configs["lora"]
    assert list(found) == ["full", "lora"]
    assert (full.tuning.name, full.tuning.rank, full.checkpointing.name, full.train.lr) == ("full", None, "none", 0.5)
    assert (lora.tuning.name, lora.tuning.rank, lora.tuning.targets) == ("lora", 16, "attention_mlp")
    assert not lora.tuning.use_dora
    assert {b.training.name: dict(b.proposal) for b in found.values()} == {"full": {}, "lora": {}}, "of other settings"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("fixed", "space", "ratio"),
    [
        (("backbone.checkpoint=synthetic",), QUICKSTART, 0.1),
        (("backbone.checkpoint=synthetic", "tuning=full"), QUICKSTART, 1.0),
        (("backbone.checkpoint=synthetic", "train.backbone_lr_ratio=0.5"), QUICKSTART, 0.5),
        (("backbone.checkpoint=synthetic",), EVERYTHING, 1.0),
        ((), QUICKSTART, 1.0),
    ],
)
def test_full_tuning_has_a_rate_of_its_own_where_the_study_s_is_one_for_adapters(find, fixed, space, ratio):
    _, configs = find("default", *fixed, space=space)
    assert configs["full"].train.backbone_lr_ratio == ratio
    assert configs["lora"].train.backbone_lr_ratio == (0.5 if ratio == 0.5 else 1.0)
    assert configs["full"].train.lr == configs["lora"].train.lr


def test_what_the_space_offers_is_proposed(find):
    found, _ = find("default")
    as_lora = {"quantization": "none", "tuning.rank": 16, "tuning.targets": "attention_mlp", "checkpointing": "none"}
    assert found["full"].proposal == {}, "the study tunes by LoRA alone"
    assert found["lora"].proposal == as_lora
    found, _ = find("default", space=EVERYTHING)
    lr = found["full"].proposal["train.lr"]
    assert found["full"].proposal == {"tuning": "full", "quantization": "none", "checkpointing": "none", "train.lr": lr}
    assert found["lora"].proposal == {"tuning": "lora", **as_lora, "train.lr": lr}


def test_a_default_one_that_does_not_go_with_the_study_is_left_out_with_a_line(find, monkeypatch, capsys):
    def no_such_layers(looks):
        if any(config.tuning.name == "lora" for config, _ in looks):
            raise InvalidConfig("tuning.targets=attention_mlp: the backbone has no such layer; name its layers")

    monkeypatch.setattr(baselines, "check_models", no_such_layers)
    assert list(find("default")[0]) == ["full"]
    assert capsys.readouterr().err == (
        "note: left out: study.baselines: lora: tuning.targets=attention_mlp: the backbone has no such layer; name its "
        "layers\n"
    )
    assert find.left_out == {"lora": "tuning.targets=attention_mlp: the backbone has no such layer; name its layers"}
    with pytest.raises(InvalidConfig, match=r"^study\.baselines: mine: tuning\.targets=attention_mlp: the backbone"):
        find({"mine": {"tuning.rank": 2}})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tuning": "full", "quantization": "nf4"}, "quantization=nf4 with tuning=full: low-bit weights take no"),
        ({"tuning.rnk": 4}, "tuning.rnk: Key 'rnk' not in 'TuningConfig'"),
        ({"tuning": "lorra"}, "tuning=lorra: not found; did you mean lora?"),
        ({"train.lr": -1.0}, "train.lr=-1.0: "),
    ],
)
def test_a_named_one_that_can_t_be_had_is_refused_in_one_line(find, settings, told):
    with pytest.raises(InvalidConfig) as refused:
        find({"fine": {"tuning.rank": 2}, "odd": settings})
    assert str(refused.value).startswith(f"study.baselines: odd: {told}")
    assert "\n" not in str(refused.value)


def ended(tmp_path, name, **fields):
    own = tmp_path / "baselines" / name
    own.mkdir(parents=True)
    (own / "result.json").write_text(TrialResult(number=None, **fields).to_json())


def test_another_configuration_under_a_name_that_was_measured_is_refused(find, tmp_path):
    ended(tmp_path, "mine", state=State.COMPLETE, searched={"tuning.rank": 2, "tuning.targets": ["attn.qkv"]})
    assert list(find({"mine": {"tuning.rank": 2, "tuning.targets": ["attn.qkv"]}})[0]) == ["mine"]
    with pytest.raises(
        InvalidConfig, match=r"mine: it was measured with tuning\.rank=2 tuning\.targets=\[attn\.qkv\]; give"
    ):
        find({"mine": {"tuning.rank": 4}})


def test_a_baseline_that_failed_teaches_a_sampler_nothing(tmp_path):
    def baseline(name, **proposal):
        training = ExtraTraining(role=Role.BASELINE, name=name, settings={}, overrides=())
        return Baseline(training=training, proposal=proposal)

    found = [baseline("a", x=1), baseline("b", x=2), baseline("c", x=3), baseline("d", x=4), baseline("e")]
    ended(tmp_path, "a", state=State.COMPLETE)
    ended(tmp_path, "b", state=State.INFEASIBLE, reason=Reason.OVER_BUDGET)
    ended(tmp_path, "c", state=State.FAILED, reason=Reason.CRASHED)
    ended(tmp_path, "e", state=State.COMPLETE)
    assert proposals(found, tmp_path) == {"a": {"x": 1}, "b": {"x": 2}}
