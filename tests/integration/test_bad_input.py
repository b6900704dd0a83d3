"""Bad input: one clear line each, exit status 2, nothing trained, nothing written. By the real command line."""

import pytest
import yaml

from terrasweep.machine.hardware import gpu_names
from tests.conftest import ROOT, run_sweep

NO_GPU = [] if gpu_names() else [(["train.device=cuda"], ["train.device=cuda", "use auto or cpu"])]
MULTIRUN = [
    *NO_GPU,
    (["backbone=prithvi_eo_tinny"], ["backbone=prithvi_eo_tinny", "did you mean prithvi_eo_tiny?"]),
    (["decoder=unett"], ["decoder=unett", "did you mean unet?"]),
    (["data=synthetc"], ["data=synthetc", "did you mean synthetic?"]),
    (["tuning.rank=0"], ["tuning.rank=0", "at least 1"]),
    (["backbone.arguments={_target_: os.getcwd}"], ["backbone.arguments._target_", "it is Hydra's own"]),
    (
        ["data=datamodule", "data.datamodule=Foo", "data.bands=[RED]", "backbone.checkpoint=null"],
        ["data.datamodule=Foo: it names no module", "give an import path"],
    ),
    (["tuning.rank=choice(4,-1)"], ["tuning.rank=-1", "at least 1"]),
    (["train.batch_size=-2", "study.n_trials=0"], ["train.batch_size=-2", "study.n_trials=0"]),
    (["quantization=nf4", "tuning=full"], ["quantization=nf4 with tuning=full", "use tuning=lora"]),
    (["quantization=choice(nf4,nf5)"], ["quantization=nf5", "did you mean nf4?"]),
    (["backbone.bands=[RED,GREEN]"], ["data.bands=", "backbone.bands=", "drop backbone.bands"]),
    (["backbone=any", "backbone.name=prithvi_eo_v3"], ["backbone.name=prithvi_eo_v3", "did you mean"]),
    (
        ["backbone=any", "backbone.name=timm_resnet18", "decoder=unet", "checkpointing=choice(none,blocks)"],
        [
            *("Listing the backbones", "tuning.targets=attention: the backbone has no linear layer at all"),
            *("tuning.targets=mlp", "quantization=int8", "quantization=nf4", "checkpointing=blocks"),
        ],
    ),
    (["data=eurosat", "data.root=nowhere"], ["data.root=nowhere", "EuroSAT", "it serves classification"]),
    (["task.loss=cee"], ["task.loss=cee", "ce"]),
    (["study.objectives=[{name: val_IoU_mais, direction: maximize}]"], ["did you mean val_IoU_maize?"]),
    (["study.objectives=[{name: acuracy, direction: maximize}]"], ["'acuracy'", "did you mean accuracy?"]),
    (
        ["study.baselines=[foo]", "repeats.seeds=-1", "reuse.verify=2", "confirm.rounds=-1", "probe.steps=0"],
        [
            *("study.baselines=['foo']: it names no configuration", "repeats.seeds=-1: it counts seeds"),
            *("reuse.verify=2: it is a share", "confirm.rounds=-1: it is a number", "probe.steps=0: nothing would"),
        ],
    ),
    (["reuse.studies=[nosuch]"], ["reuse.studies: nosuch: there is no ", "run it first"]),
    (
        ["hydra/sweeper/pruner=median"],
        ["study.objectives has 3", "pruner: nothing is validated before the end; set train.validate_every"],
    ),
    (["study.name=a/b"], ["study.name='a/b'", "below results/"]),
    (["tracking.uri=http://127.0.0.1:9"], ["tracking.uri=http://127.0.0.1:9", "no server answers"]),
    (["tracking.uri=carrier://pigeon"], ["tracking.uri=carrier://pigeon", "use tracking.uri=sqlite"]),
    (["study.storage=sqlite:////nowhere/x.db"], ["study.storage=sqlite:////nowhere/x.db", "unable to open"]),
    (["train.lrr=3"], ["train.lrr", "lr"]),
    (["train.lr=abc"], ["train.lr", "abc", "Float"]),
    (["sweeps=nope"], ["sweeps=nope", "quickstart"]),
    (["hydra/sweeper/sampler=gridd"], ["gridd", "did you mean grid?"]),
    (
        ["hydra/sweeper/sampler=nsgaii", "hydra.sweeper.sampler.population_size=1"],
        ["hydra.sweeper.sampler: `population_size` must be greater than or equal to 2"],
    ),
    (["+train.foo=1"], ["train.foo: there is no such key"]),
    (["~budget"], ["~budget: a group can't be taken out"]),
    (["data.synthetic.train=3"], ["data.synthetic.train=3", "at least 6"]),
    (
        ["hydra/sweeper/sampler=grid", "tuning=choice(lora,frozen)"],
        ["sampler=grid", "tuning.rank depends on tuning"],
    ),
    (
        [
            "backbone.checkpoint=null",
            "data=segmentation_folder",
            "data.root=/nowhere",
        ],
        ["data.root=/nowhere", "docs/data.md"],
    ),
]
SINGLE = [
    *NO_GPU,
    (
        ["backbone=any", "backbone.name=timm_resnet18", "decoder=unet", "backbone.checkpoint=null"],
        ["tuning.targets=attention", "no linear layer at all"],
    ),
    (["tuning.rank=0", "train.lr=-1"], ["tuning.rank=0", "train.lr=-1"]),
    (["decoder.arguments._target_=os.getcwd"], ["decoder.arguments._target_", "it is Hydra's own"]),
    (
        ["data=datamodule", "data.datamodule=Foo", "data.bands=[RED]", "backbone.checkpoint=null"],
        ["data.datamodule=Foo: it names no module", "give an import path"],
    ),
    (["quantization=nf4", "tuning=full"], ["low-bit weights take no gradient"]),
    (["tuning.rank=choice(1,2)"], ["tuning.rank=choice(1,2)", "--multirun"]),
    (["tuning=frozen", "tuning.rank=4"], ["tuning.rank=4 with tuning=frozen", "drop tuning.rank"]),
    (["precision=fp16", "train.device=cpu"], ["precision=fp16 with train.device=cpu", "use precision=bf16"]),
    (
        ["optimizer=adamw8bit", "offload=optimizer"],
        ["optimizer=adamw8bit with offload=optimizer", "use optimizer=adamw"],
    ),
    (["checkpointing=every_n", "checkpointing.every=0"], ["checkpointing.every=0", "at least 1"]),
    (["checkpointing.every=2"], ["checkpointing.every=2 with checkpointing=none", "drop checkpointing.every"]),
    (["quantization=nf4", "quantization.skip=auto"], ["quantization.skip=auto with", "set quantization.skip_count"]),
    (["quantization=nf4", "quantization.skip=7"], ["quantization.skip=7", "use auto, or a list"]),
    (["quantization.compute_dtype=bf16"], ["quantization.compute_dtype=bf16 with quantization=none"]),
    (["optimizer.implementation=fusedd"], ["optimizer.implementation=fusedd", "did you mean fused?"]),
    (["offload=nvme", "offload.nvme_path=/no/disk"], ["offload.nvme_path=/no/disk", "give an existing one"]),
    (
        ["offload=optimizer", "offload.deepspeed_config=/no/file.json"],
        ["offload.deepspeed_config=/no/file.json", "give a DeepSpeed configuration file"],
    ),
    (
        ["tuning=frozen", "tuning.use_dora=true", "study.keep_weights=some", "optimizer.betas=[1,2]"],
        ["tuning.use_dora=true with tuning=frozen", "study.keep_weights=some", "optimizer.betas=[1.0, 2.0]"],
    ),
    (["offload=parameterz"], ["offload=parameterz", "did you mean parameters?"]),
    (["~train"], ["~train: a group can't be taken out"]),
    (["offload=nvme", "offload.nvme_path=~nobody_of_this_name/x"], ["offload.nvme_path=~nobody_of_this_name/x"]),
    (["task=classification"], ["decoder=FCNDecoder with task=classification"]),
    (
        ["tuning=full", "tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1"],
        ["tuning.frozen_dtype=bf16 with tuning=full: nothing is frozen", "tuning.unfreeze_last=1 with tuning=full"],
    ),
    (
        [
            *("schedule.warmup=100", "train.epochs=2", "train.validate_every=50", "train.patience=2"),
            *("train.accumulate=2", "task.loss=dice", "augment.name=flip", "precision.matmul=higest"),
        ],
        [
            *("schedule.warmup=100: the learning rate would rise in all 33", "train.epochs=2 with train.max_steps=30"),
            *("train.patience=2 with train.validate_every=50", "train.accumulate=2 with task.loss=dice"),
            *("augment.name=flip: unknown; did you mean flips?", "precision.matmul=higest: unknown; did you mean"),
        ],
    ),
]


def refused(finished, told, home, cached=()):
    """What is looked up once, like the names of backbones, stays in the cache."""
    assert finished.returncode == 2, finished.stderr
    assert "Traceback" not in finished.stderr
    assert "Error executing job" not in finished.stderr
    for part in told:
        assert part in finished.stderr
    assert len(finished.stderr.strip().splitlines()) <= len(told)
    kept = {path.name for path in home.iterdir()}
    assert kept == {"sweeps", "search_spaces"} | ({"results"} if cached else set())
    assert {path.name.partition("-")[0] for path in (home / "results").glob(".cache/*")} <= {*cached, ".lock"}
    assert {path.name for path in (home / "results").glob("*")} <= {".cache"}


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "told"), MULTIRUN, ids=lambda value: " ".join(value)[:60])
def test_a_study_is_refused(cli, home, arguments, told):
    refused(cli("-m", *arguments, timeout_s=300), told, home, ["backbones"] if "backbone=any" in arguments else [])


@pytest.mark.parametrize(("arguments", "told"), SINGLE, ids=lambda value: " ".join(value)[:60])
def test_a_single_trial_is_refused(cli, home, arguments, told):
    decoder = [] if "task=classification" not in arguments else ["decoder=fcn"]
    refused(cli(*arguments, *decoder, timeout_s=300), told, home, ["backbones"] if "backbone=any" in arguments else [])


def test_a_project_root_elsewhere_finds_the_shipped_sweeps_and_its_own(tmp_path):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text("# @package _global_\nstudy: {n_trials: 7}\n")
    shipped = yaml.safe_load((ROOT / "sweeps" / "quickstart.yaml").read_text())["study"]["n_trials"]
    for name, total in (("mine", 7), ("quickstart", shipped)):
        finished = run_sweep(tmp_path, f"sweeps={name}", "--cfg", "job", "--package", "study.n_trials")
        assert finished.stdout.strip().splitlines()[-1] == str(total), finished.stderr


@pytest.mark.parametrize("mode", [["-m"], []])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("- study: {n_trials: 1}\n", ": it is a list, from which nothing would be taken"),
        ("# @package _global_\nstudy:\n\tn_trials: 1\n", ", line 3, column 1: found character"),
    ],
    ids=["list", "tab"],
)
def test_a_file_that_is_refused_is_named_wherever_it_lies(cli, home, tmp_path_factory, mode, content, told):
    file = tmp_path_factory.mktemp("own") / "sweeps" / "odd.yaml"
    file.parent.mkdir()
    file.write_text(content)
    finished = cli(*mode, "--config-dir", str(file.parents[1]), "sweeps=odd", timeout_s=60)
    refused(finished, [f"{file}{told}"], home)


@pytest.mark.parametrize("mode", [["-m"], []])
def test_an_unwritable_results_folder_is_refused(cli, home, mode):
    (home / "results").write_text("a file stands where the folder should be")
    finished = cli(*mode, "study.n_trials=1", timeout_s=60)
    assert finished.returncode == 2
    assert str(home / "results") in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
