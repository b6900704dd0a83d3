"""What a copy gives is what Hydra would compose, and Hydra is asked once per choice of groups."""

import itertools

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from terrasweep.config.compose import composed_trial, register_schema
from terrasweep.study.composer import Composer
from tests.composing import ROOT

FIXED = ("decoder=linear", "train.max_steps=7", "backbone.checkpoint=null")


class Counting:
    """Hydra's loader, and how often it composes."""

    def __init__(self, loader):
        self._loader, self.composed = loader, 0

    def load_sweep_config(self, config, overrides):
        self.composed += 1
        return self._loader.load_sweep_config(config, overrides)


@pytest.fixture
def hydra(monkeypatch):
    """A loader and a configuration, as Hydra gives them to a sweeper."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(ROOT))
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_module("terrasweep.conf"):
        loader = GlobalHydra.instance().config_loader()
        searched = f"hydra.searchpath=[file://{ROOT}]"
        config = loader.load_configuration("config", [searched, "study.name=s"], run_mode=RunMode.MULTIRUN)
        HydraConfig.instance().set_config(config)
        yield Counting(loader), config


def plain(config):
    return OmegaConf.to_container(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"]))


CASES = {
    "values": ["train.lr=0.5", "tuning.rank=3"],
    "nothing": [],
    "groups": ["tuning=frozen", "quantization=nf4"],
    "both": ["checkpointing=every_n", "checkpointing.every=3", "tuning=lora", "tuning.rank=2"],
    "what a group sets": ["tuning.name=full"],
    "a group after its value": ["checkpointing.every=3", "checkpointing=every_n"],
    "lists": ["tuning.targets=[qkv,'blocks.1']", "data.bands=[RED,'NIR']"],
    "maps": ["backbone.arguments={drop_path:0.1,nested:{a:[1,2]}}"],
    "a key of a map": ["+backbone.arguments.drop_path=0.1"],
    "null and text": ["backbone.checkpoint='/w/epoch=1.ckpt'", "train.seed=3", "budget.timeout_s=null"],
    "what is fixed too": ["train.max_steps=9"],
    "twice": ["train.lr=0.5", "train.lr=0.25"],
    "interpolated": ["study.name=other"],
    "an objective": ["study.objectives=[{name:accuracy,direction:maximize}]"],
}


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_is_the_one_that_hydra_composes(hydra, case):
    loader, config = hydra
    expected = loader.load_sweep_config(config, ["trial.number=0", *FIXED, *CASES[case]])
    composer = Composer(loader, config, FIXED)
    for _ in range(2):
        found = composer.compose(CASES[case])
        assert plain(found) == plain(expected)
        assert composed_trial(found) == composed_trial(expected)
        assert found.hydra.runtime.choices == expected.hydra.runtime.choices


@pytest.mark.parametrize("bad", ["train.nothing=1", "train.lr.x=1", "nothing.at=1", "train.seed=word", "tuning=no"])
def test_what_hydra_refuses_is_refused_with_its_own_words(hydra, bad):
    loader, config = hydra

    def said(compose):
        with pytest.raises(HydraException) as refused:
            compose()
        return str(refused.value)

    theirs = said(lambda: loader.load_sweep_config(config, ["trial.number=0", *FIXED, bad]))
    assert said(lambda: Composer(loader, config, FIXED).compose([bad])) == theirs


def test_hydra_composes_once_per_choice_of_groups(hydra):
    loader, config = hydra
    composer = Composer(loader, config, FIXED)
    assert composer.base is composer.compose([])
    for tuning, rank in itertools.product(("lora", "full"), range(1, 20)):
        found = composer.compose([f"tuning={tuning}", f"tuning.rank={rank}"])
        assert (found.tuning.name, found.tuning.rank) == (tuning, rank)
    assert loader.composed == 3
    assert composer.base.tuning.rank not in range(9, 20), "a copy was changed"


@pytest.mark.parametrize("case", CASES)
def test_a_trial_is_what_its_configuration_says(hydra, case):
    loader, config = hydra
    composer = Composer(loader, config, FIXED)
    for _ in range(2):
        assert composer.compose_trial(CASES[case]) == composed_trial(composer.compose(CASES[case]))


def test_a_section_is_read_once_for_all_trials_that_have_its_values(hydra, monkeypatch):
    loader, config = hydra
    read = []
    monkeypatch.setattr("terrasweep.study.composer.composed_trial", lambda c: read.append(c) or composed_trial(c))
    composer = Composer(loader, config, FIXED)
    combinations = list(itertools.product(("none", "blocks"), range(1, 5), (0.1, 0.2)))
    for checkpointing, rank, lr in combinations:
        overrides = [f"checkpointing={checkpointing}", f"tuning.rank={rank}", f"train.lr={lr}"]
        found = composer.compose_trial(overrides)
        assert (found.checkpointing.name, found.tuning.rank, found.train.lr) == (checkpointing, rank, lr)
    assert len(read) == 2 + 4 + 2


def test_a_section_that_another_one_reads_from_is_not_read_by_itself(hydra):
    loader, config = hydra
    composer = Composer(loader, config, (*FIXED, "tuning.rank=${train.seed}"))
    for seed in (3, 4):
        found = composer.compose_trial([f"train.seed={seed}"])
        assert (found.train.seed, found.tuning.rank) == (seed, seed)
