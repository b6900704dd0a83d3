"""The quickstart's pretrained weights depend on what they are made of, and on nothing that a study searches."""

import dataclasses

import pytest

from terrasweep.data.find.root_folders import tiles_folder
from terrasweep.models.pretrained import synthetic
from terrasweep.models.pretrained.synthetic import pretrained_file, source_config
from terrasweep.trial.rules import find_violations
from tests.composing import compose_trial


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))


def config(*overrides):
    return compose_trial("backbone.checkpoint=synthetic", *overrides)


SEARCHED = [
    ["quantization=nf4"],
    ["tuning=frozen"],
    ["tuning.rank=2", "tuning.targets=qv"],
    ["checkpointing=blocks"],
    ["offload=activations"],
    ["precision=bf16"],
    ["optimizer=adamw8bit", "schedule=constant"],
    ["augment=none"],
    ["train.lr=0.5", "train.batch_size=3", "train.max_steps=7", "train.seed=9"],
    ["data.synthetic.train=12", "data.synthetic.seed=5"],
    ["study.n_trials=3", "budget.memory_gib=5"],
]
OTHER = [
    ["backbone=prithvi_eo_v2_tiny_tl"],
    ["+backbone.arguments.depth=2"],
    ["decoder=fcn"],
    ["data.tile_px=32"],
    ["task=classification", "decoder=identity"],
]


@pytest.mark.parametrize("overrides", SEARCHED, ids=" ".join)
def test_trials_of_one_study_start_from_the_same_weights(overrides):
    """Else trials that differ in a knob would differ in what they start from, and every one would pretrain anew."""
    assert pretrained_file(config(*overrides)) == pretrained_file(config())
    ours, theirs = (source_config(config(*given)) for given in (overrides, ()))
    for group in ("augment", "optimizer", "schedule", "tuning", "quantization", "precision", "train", "data"):
        assert ours.settings(group) == theirs.settings(group)


def test_pretraining_takes_tiles_as_they_are():
    """Its steps were chosen for them, and stored weights are of them."""
    assert source_config(config("augment=d4")).augment.name == "none"


@pytest.mark.parametrize("overrides", OTHER, ids=" ".join)
def test_another_model_or_task_has_weights_of_its_own(overrides):
    assert pretrained_file(config(*overrides)) != pretrained_file(config())


def test_every_setting_of_the_pretraining_makes_other_weights(monkeypatch):
    files = {pretrained_file(config())}
    settings = {f.name: getattr(synthetic.PRETRAINING, f.name) for f in dataclasses.fields(synthetic.Pretraining)}
    for name, value in settings.items():
        monkeypatch.setattr(synthetic, "PRETRAINING", dataclasses.replace(synthetic.Pretraining(), **{name: 2 * value}))
        files.add(pretrained_file(config()))
    assert len(files) == 1 + len(settings)


def test_the_pretraining_sees_other_tiles_than_the_trial_and_no_checkpoint():
    trial = config()
    source = source_config(trial)
    assert tiles_folder(source) != tiles_folder(trial)
    assert source.data.synthetic.domain == "source" != trial.data.synthetic.domain
    assert source.backbone.checkpoint is None


@pytest.mark.parametrize("overrides", SEARCHED, ids=" ".join)
def test_the_pretraining_breaks_no_rule_whatever_the_trial_is(overrides):
    assert list(find_violations(source_config(config(*overrides)))) == []
