"""What only a model tells is told before a trial: each model is built once, and what is in order is not built again."""

import dataclasses

import pytest
import torch
from terratorch.registry import BACKBONE_REGISTRY

from terrasweep import process
from terrasweep.models import misfits
from terrasweep.results.errors import Crashed, InvalidConfig
from terrasweep.trial import check_models as check_models_module
from terrasweep.trial.check_models import KNOBS, check_models
from tests.composing import compose_trial

RESNET = ("backbone=any", "backbone.name=timm_resnet18", "decoder=unet")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """What children were asked to look at, without any child."""
    asked = []

    def answer(task, arguments, log, limits):
        asked.append(arguments["models"])
        return process.Outcome({"misfits": []})

    monkeypatch.setattr(process, "run", answer)
    return asked


def whole(*overrides):
    return compose_trial(*overrides), KNOBS


def refusals(*looks):
    with pytest.raises(InvalidConfig) as told:
        check_models(looks)
    return str(told.value).splitlines()


@pytest.mark.slow
def test_all_that_does_not_fit_a_backbone_is_told_at_once():
    """The brothers of an adapter without a place: low-bit layers, blocks; by the names that the user gave."""
    lines = refusals(
        whole(*RESNET),
        whole(*RESNET, "quantization=nf4", "tuning=frozen"),
        whole(*RESNET, "checkpointing=blocks", "tuning=frozen"),
        whole(*RESNET, "tuning=full"),
        whole(*RESNET, "tuning=frozen", "tuning.unfreeze_last=1"),
    )
    assert [line.partition(":")[0] for line in lines] == [
        "tuning.targets=attention",
        "quantization=nf4",
        "checkpointing=blocks",
        "tuning.unfreeze_last=1",
    ]


@pytest.mark.slow
def test_a_batch_of_one_that_a_model_can_not_train_on_is_told_once(monkeypatch):
    """In this process: a resnet sees 32 px as one cell."""
    monkeypatch.setattr(misfits.startup, "hide_gpus", lambda: None)
    small = ("data=segmentation_folder", "data.root=/tiles", "data.bands=[RED,GREEN,BLUE]", "data.tile_px=32")
    told = {}

    def report(**content):
        told.update(content)

    models = [
        [whole(*RESNET, *small, "tuning=full", f"train.batch_size={size}", f"decoder={decoder}")]
        for size in (1, 2)
        for decoder in ("unet", "fcn")
    ]
    misfits.find_misfits(report, models)
    assert len(told["misfits"]) == 1
    assert told["misfits"][0].startswith("train.batch_size=1 with backbone=timm_resnet18: encoder.")


@pytest.mark.slow
def test_a_checkpoint_of_another_size_is_refused_by_its_header_and_by_name(home):
    built = BACKBONE_REGISTRY.build("prithvi_eo_tiny", bands=["RED"], num_frames=1, img_size=32)
    torch.save(built.state_dict(), home / "tiny.pt")
    given = f"backbone.checkpoint={home / 'tiny.pt'}"
    check_models([whole(given)])
    (line,) = refusals(whole("backbone=prithvi_eo_v2_tiny_tl", given), whole("backbone=timm_vit_tiny_patch16_224"))
    assert line.startswith(f"backbone.checkpoint={home / 'tiny.pt'}: it does not fit the backbone")
    assert "backbone=prithvi_eo_v2_tiny_tl" in line


def test_what_was_in_order_is_not_looked_at_again(asked, home):
    check_models([whole(), whole("tuning=frozen")])
    check_models([whole("tuning=frozen"), whole()])
    assert len(asked) == 1
    check_models([whole("tuning=frozen"), whole("decoder=unet")])
    assert len(asked) == 2
    file = home / "weights.pt"
    file.write_bytes(b"one")
    for content in (b"one", b"three"):
        file.write_bytes(content)
        check_models([whole(f"backbone.checkpoint={file}")])
    assert len(asked) == 4


def test_what_bears_on_no_part_of_a_model_makes_no_other_one(asked):
    same = [
        ("tuning.rank=2",),
        ("tuning.frozen_dtype=bf16",),
        ("train.lr=0.1",),
        ("precision=bf16",),
        ("optimizer=adamw8bit",),
    ]
    check_models([whole(*overrides) for overrides in same])
    check_models([whole(f"quantization={name}") for name in ("none", "int8", "nf4", "nf4")])
    assert [[len(looks) for looks in models] for models in asked] == [[1], [3]]


def test_a_rank_is_looked_at_where_adapters_start_at_as_many_components(asked):
    ranks = ("tuning.rank=2", "tuning.rank=8")
    check_models([whole(rank, f"tuning.initialisation={start}") for start in ("pissa", "eva") for rank in ranks])
    assert [[len(looks) for looks in models] for models in asked] == [[2]]


def test_batches_of_one_are_looked_at_by_themselves(asked):
    check_models([whole(f"train.batch_size={size}") for size in (1, 2, 4, 1)])
    assert [[len(looks) for looks in models] for models in asked] == [[1, 1]]


def test_data_that_nobody_has_looked_at_are_left_to_the_trial(asked, home):
    (home / "fields").mkdir()
    config = compose_trial("data=segmentation_folder", f"data.root={home / 'fields'}")
    check_models([(config, KNOBS)])
    assert asked == []


def test_a_look_that_fails_by_itself_stops_nothing_and_is_not_remembered(monkeypatch, capsys, home):
    monkeypatch.setattr(process, "run", lambda *_: process.Outcome(error=Crashed("it was ended by SIGKILL")))
    for _ in range(2):
        check_models([whole()])
    assert capsys.readouterr().err.count("warning: the models can't be looked at beforehand: it was ended") == 2
    assert not list((home / "results").rglob("*.json"))


@pytest.mark.slow
def test_weights_that_can_t_be_had_are_one_line_and_the_hub_is_asked_once(monkeypatch):
    """In this process, to see what is asked: a Hub that answers nobody."""
    from huggingface_hub import constants

    from terrasweep.models.backbones import hub_files

    calls = []

    class Away:
        def head(self, *_, **__):
            calls.append("head")
            raise OSError("Name or service not known")

    monkeypatch.setattr(hub_files, "get_session", Away)
    monkeypatch.setattr(misfits.startup, "hide_gpus", lambda: None)
    told = {}
    config = compose_trial("backbone=timm_vit_small_patch16_224", "backbone.pretrained=true")
    smaller = dataclasses.replace(
        config, backbone=dataclasses.replace(config.backbone, name="timm_vit_tiny_patch16_224")
    )
    misfits.find_misfits(lambda **content: told.update(content), [[(c, KNOBS)] for c in (config, smaller)])
    assert len(told["misfits"]) == 2
    for line in told["misfits"]:
        assert "use random weights (backbone.pretrained=false)" in line
    assert calls == ["head"]
    assert not constants.HF_HUB_OFFLINE


def test_a_look_that_is_refused_as_a_whole_is_told_line_by_line(monkeypatch):
    monkeypatch.setattr(process, "run", lambda *_: process.Outcome(error=InvalidConfig("a=1: no\nb=2: no")))
    assert refusals(whole()) == ["a=1: no", "b=2: no"]


def test_with_another_library_models_are_looked_at_again_and_one_that_is_not_installed_is_one(asked, monkeypatch):
    for number, timm in enumerate(["1.0", None, "1.1"], start=1):

        def version(library, timm=timm):
            if library == "timm" and timm is None:
                raise check_models_module.PackageNotFoundError
            return timm if library == "timm" else "1"

        monkeypatch.setattr(check_models_module, "version", version)
        for _ in range(2):
            check_models([whole()])
        assert len(asked) == number


def test_layers_that_are_all_kept_in_full_precision_are_a_misfit():
    encoder = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))

    def misfit(count):
        config = compose_trial("quantization=nf4", "quantization.skip=auto", f"quantization.skip_count={count}")
        return list(misfits._of_knobs(config, ("quantization",), encoder))

    assert misfit(1) == []
    (line,) = misfit(2)
    assert line.startswith("quantization.skip_count=2: the backbone has 2 linear layers, and none would be quantized")


def test_what_fails_for_another_reason_is_left_to_the_trial_and_stands_in_the_log(capsys):
    def fail():
        raise RuntimeError("a meta tensor has no values")

    assert list(misfits._refused(fail)) == []
    assert "RuntimeError: a meta tensor has no values" in capsys.readouterr().err
