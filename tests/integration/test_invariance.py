"""What only saves memory leaves the training as it was: the loss curves of 20 steps, each trial in its own process."""

import json
import math

import pytest

from terrasweep.models.offload.extensions import missing_for_nvme
from tests.trials import run_measured, tiny

BASES = ("none", "int8", "nf4")
TORCH_S = ("checkpointing=blocks", "checkpointing=every_n", "offload=activations")
DEEPSPEED_S = ("offload=optimizer", "offload=parameters")
TOLERANCE = {"fp32": {"torch": 1e-6, "deepspeed": 1e-5}, "bf16": {"torch": 1e-2, "deepspeed": 1e-2}}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    known = {}

    def train(*overrides):
        if overrides not in known:
            config = tiny("train.max_steps=20", "tuning.rank=4", "train.device=cpu", *overrides)
            folder = home / "trials" / str(len(known))
            outcome = run_measured(home, config, folder)
            assert outcome.error is None, (folder / "log.txt").read_text()
            known[overrides] = outcome.reported, folder
        return known[overrides]

    return train


def losses(reported):
    curve = [loss for _, loss in reported["curves"]["train_loss"]]
    assert len(curve) == 20
    assert all(math.isfinite(loss) for loss in curve)
    return curve


def largest_difference(one, other):
    return max(abs(a - b) / abs(a) for a, b in zip(losses(one), losses(other), strict=True))


@pytest.mark.parametrize("quantization", BASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("knob", [*TORCH_S, *DEEPSPEED_S])
def test_the_loss_curve_stays(trained, quantization, precision, knob):
    base = (f"quantization={quantization}", f"precision={precision}")
    plain, _ = trained(*base)
    changed, folder = trained(*base, knob)
    assert largest_difference(plain, changed) <= TOLERANCE[precision]["torch" if knob in TORCH_S else "deepspeed"]
    if precision == "bf16":  # And is not that of 32-bit arithmetic, which lies within the tolerance, too.
        in_fp32, _ = trained(f"quantization={quantization}", "precision=fp32")
        assert losses(changed)[0] == losses(plain)[0] != losses(in_fp32)[0]
    assert abs(plain["measurements"]["accuracy"] - changed["measurements"]["accuracy"]) < 0.01
    if knob in DEEPSPEED_S:  # What ran is what was asked for.
        settings = json.loads((folder / "deepspeed_config.json").read_text())
        zero = settings["zero_optimization"]
        assert zero["stage"] == {"offload=optimizer": 2, "offload=parameters": 3}[knob]
        assert zero["offload_optimizer"]["device"] == "cpu"


@pytest.mark.parametrize("quantization", ["none", "nf4"])
@pytest.mark.parametrize("knob", ["offload=none", *TORCH_S, *DEEPSPEED_S])
def test_a_batch_in_parts_trains_as_a_whole_one(trained, quantization, knob):
    """Four samples in three parts, of which one is larger."""
    base = (f"quantization={quantization}", "precision=fp32")
    in_parts, folder = trained(*base, knob, "train.accumulate=3")
    assert largest_difference(trained(*base)[0], in_parts) <= 1e-5
    if knob in DEEPSPEED_S:
        assert json.loads((folder / "deepspeed_config.json").read_text())["gradient_accumulation_steps"] == 3


RECIPE = (
    *("quantization=none", "precision=fp32", "schedule=cosine", "schedule.warmup=4", "train.clip_norm=0.1"),
    *("tuning=full", "tuning.rank=null", "tuning.targets=null", "train.layer_decay=0.8", "train.lr=0.003"),
    *("train.backbone_lr_ratio=0.5", "train.validate_every=6", "train.keep=best", "optimizer.weight_decay=0.1"),
)


@pytest.mark.parametrize("knob", ["train.accumulate=2", "checkpointing=blocks", *DEEPSPEED_S])
def test_a_recipe_is_the_same_training_under_each_knob(trained, knob):
    """A schedule, clipped gradients, learning rates per block, and the best state of four kept."""
    plain, changed = trained(*RECIPE)[0], trained(*RECIPE, knob)[0]
    assert largest_difference(plain, changed) <= 1e-4
    assert plain["curves"]["learning_rate"] == changed["curves"]["learning_rate"]
    for reported in (plain, changed):
        by_step = dict(reported["curves"]["val_accuracy"])
        assert list(by_step) == [6, 12, 18, 20]
        kept = reported["measurements"]["kept_steps"]
        assert reported["measurements"]["accuracy"] == pytest.approx(max(by_step.values()), abs=1e-6)
        assert by_step[kept] == max(by_step.values())
    for less in ("train.clip_norm=null", "train.backbone_lr_ratio=1"):
        assert largest_difference(plain, trained(*RECIPE, less)[0]) > 1e-4, "the recipe does something"


JUDGED = (
    *("quantization=none", "precision=fp32", "schedule=plateau", "schedule.patience=0", "schedule.factor=0.5"),
    *("train.max_steps=null", "train.epochs=7", "train.validate_every=epoch", "train.patience=2", "train.lr=1e-12"),
)
"""Of three steps each. A rate below the rounding of the weights: no validation is better than the first one."""


@pytest.mark.parametrize("knob", DEEPSPEED_S)
def test_validations_judge_a_training_under_deepspeed_as_they_do_without(trained, knob):
    """After the second one the rate falls, after the third one the training ends."""
    for reported, _ in (trained(*JUDGED), trained(*JUDGED, knob)):
        curves = reported["curves"]
        assert [step for step, _ in curves["val_accuracy"]] == [3, 6, 9]
        assert [step for step, _ in curves["train_loss"]] == list(range(9))
        assert [rate for _, rate in curves["learning_rate"]] == [1e-12] * 6 + [0.5e-12] * 3


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("knob", [*TORCH_S, *DEEPSPEED_S])
def test_the_loss_curve_stays_with_frozen_weights_in_16_bits(trained, precision, knob):
    # At the quickstart's rate a block that learns as a whole carries roundings further than the tolerance.
    base = ("tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1", "train.lr=0.001", f"precision={precision}")
    plain, _ = trained(*base)
    changed, _ = trained(*base, knob)
    assert largest_difference(plain, changed) <= TOLERANCE[precision]["torch" if knob in TORCH_S else "deepspeed"]
    measured = [reported["measurements"] for reported in (plain, changed)]
    assert measured[0]["weight_bytes"] == measured[1]["weight_bytes"]
    assert abs(measured[0]["accuracy"] - measured[1]["accuracy"]) < 0.01


def test_the_curve_of_another_configuration_differs(trained):
    """Otherwise the comparison would prove nothing."""
    plain, _ = trained("quantization=none", "precision=fp32")
    unturned = ("quantization=none", "precision=fp32", "augment=none")
    others = [("quantization=nf4", "precision=fp32"), ("quantization=none", "precision=bf16"), unturned]
    others += [("precision=fp32", key) for key in ("tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1")]
    for other in others:
        assert largest_difference(plain, trained(*other)[0]) > 1e-5


@pytest.mark.parametrize(("start", "quantization"), [("pissa", "none"), ("loftq", "nf4"), ("eva", "int8")])
def test_wherever_adapters_start_checkpointing_and_zero_leave_the_curve(trained, start, quantization):
    base = (f"quantization={quantization}", "precision=fp32")
    started, _ = trained(*base, f"tuning.initialisation={start}")
    both, _ = trained(*base, f"tuning.initialisation={start}", "checkpointing=blocks", "offload=parameters")
    assert largest_difference(started, both) <= 1e-5
    assert largest_difference(started, trained(*base)[0]) > 1e-5, "another start is another training"


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_checkpointing_and_zero_together(trained, quantization):
    base = (f"quantization={quantization}", "precision=fp32")
    both, _ = trained(*base, "checkpointing=blocks", "offload=parameters")
    assert largest_difference(trained(*base)[0], both) <= 1e-5


@pytest.mark.skipif(bool(missing_for_nvme("cpu")), reason=f"offload=nvme needs {missing_for_nvme('cpu')}")
@pytest.mark.parametrize("parts", [1, 3])
def test_nvme_leaves_the_loss_curve_too(trained, tmp_path, parts):
    """Also of a batch in parts, whose gradients are added up between two reads of the disk."""
    base = ("quantization=none", "precision=fp32")
    on_disk, _ = trained(*base, "offload=nvme", f"offload.nvme_path={tmp_path}", f"train.accumulate={parts}")
    assert largest_difference(trained(*base)[0], on_disk) <= 1e-5
    assert any(tmp_path.rglob("*.swp")), "something was written to the disk"


def test_settings_of_a_user_s_own_file_are_used(trained, tmp_path):
    own = tmp_path / "mine.json"
    own.write_text(json.dumps({"zero_optimization": {"reduce_bucket_size": 12345}, "steps_per_print": 7}))
    base = ("quantization=none", "precision=fp32")
    changed, folder = trained(*base, "offload=optimizer", f"offload.deepspeed_config={own}")
    settings = json.loads((folder / "deepspeed_config.json").read_text())
    assert settings["zero_optimization"]["reduce_bucket_size"] == 12345
    assert settings["steps_per_print"] == 7
    assert settings["zero_optimization"]["stage"] == 2
    assert largest_difference(trained(*base)[0], changed) <= 1e-5
