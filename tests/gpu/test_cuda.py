"""What only a CUDA device can prove. Skipped where there is none."""

import json
import subprocess
import sys

import pytest

from terrasweep import process
from terrasweep.machine import startup
from terrasweep.process.parent import Limits
from tests.conftest import ROOT, SMALL, run_sweep
from tests.integration.study import read_results
from tests.recorded_allocations import played
from tests.trials import run_measured, tiny


def cuda_is_there():
    code = "import torch; print(torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "True"


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda_is_there(), reason="there is no CUDA device")]


def test_the_preload_leaves_cuda_alone_and_a_forked_child_can_use_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.delenv(startup.START_METHOD, raising=False)
    for _ in range(2):
        outcome = process.run("tests.gpu.tasks:use_cuda", {}, tmp_path / "log.txt", Limits(timeout_s=300))
        assert outcome.error is None, (tmp_path / "log.txt").read_text()
        assert outcome.reported["metrics"]["sum"] == 4.0
        assert outcome.reported["metrics"]["forked"] == 1.0


def test_the_capability_from_nvml_is_torch_s():
    code = (
        "import terrasweep.trial.preload as p, torch; assert p.CUDA_UNTOUCHED; "
        "print(p.compute_capability() == torch.cuda.get_device_capability())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "True"


SMALL_EARTHMIND = "{hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 4, intermediate_size: 128}"
KNOBS = [
    [],
    ["quantization=nf4"],
    ["quantization=int8"],
    ["quantization=int8", "quantization.skip=auto", "quantization.skip_count=2", "tuning.use_dora=true"],
    ["quantization=nf4", "quantization.skip=auto", "quantization.skip_count=2", "quantization.compute_dtype=fp16"],
    ["precision=bf16"],
    ["precision=fp16"],
    ["precision=fp16", "train.clip_norm=1", "train.accumulate=2"],
    ["tuning.targets=qv", "tuning.use_dora=true", "quantization=nf4"],
    ["tuning.initialisation=pissa", "offload=parameters"],
    ["tuning.initialisation=loftq", "quantization=nf4"],
    ["tuning.initialisation=eva", "quantization=int8"],
    ["optimizer=adamw8bit", "tuning=full"],
    ["optimizer=paged_adamw8bit", "tuning=full"],
    ["offload=optimizer", "tuning=full"],
    ["tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1"],
    ["tuning.frozen_dtype=bf16", "precision=fp16", "tuning.use_dora=true"],
    ["tuning.frozen_dtype=bf16", "precision=bf16", "offload=parameters"],
    ["offload=parameters", "quantization=nf4"],
    ["offload=parameters", "quantization=int8", "precision=bf16"],
    ["task.class_weights=[1,2,1,1,3,1]"],
    ["task.class_weights=[1,2,1,1,3,1]", "offload=parameters"],
    ["backbone=earthmind_v1", "backbone.out_indices=[0,1,2,3]", f"+backbone.arguments={SMALL_EARTHMIND}"],
]


@pytest.mark.parametrize("knobs", KNOBS, ids=" ".join)
def test_a_trial_measures_device_memory_and_energy(home, knobs):
    finished = run_sweep(home, *SMALL, *knobs)
    assert finished.returncode == 0, finished.stderr
    printed = dict(line.split(": ", 1) for line in finished.stdout.splitlines() if ": " in line)
    assert float(printed["peak_allocated_mib"]) <= float(printed["peak_memory_mib"])
    assert float(printed["peak_memory_mib"]) < 4096
    assert float(printed["flops_per_step"]) > 0
    if any(knob.startswith("quantization=") and knob != "quantization=none" for knob in knobs):
        # Quantized at the build, and not at the first step: all but two layers in the least of the cases.
        assert float(printed["weight_bytes"]) < 2.5 * float(printed["total_parameters"])


@pytest.mark.parametrize("offload", ["optimizer", "parameters"])
def test_bf16_is_bf16_under_zero(tmp_path, offload):
    first = {}
    for knobs in (["precision=fp32"], ["precision=bf16"], ["precision=bf16", f"offload={offload}"]):
        outcome = run_measured(tmp_path, tiny("tuning.rank=4", *knobs), tmp_path / "-".join(knobs))
        assert outcome.error is None, outcome.error
        first[" ".join(knobs)] = outcome.reported["curves"]["train_loss"][0][1]
    in_fp32, in_bf16, offloaded = first.values()
    assert abs(offloaded - in_bf16) < abs(offloaded - in_fp32)


ROUNDING = 1e-6
"""Above what 512 additions in 32 bits lose; TF32, which cards have from Ampere on, loses 3e-4."""


def test_a_trial_multiplies_in_32_bits_on_the_device(tmp_path, monkeypatch):
    """TerraTorch's import has set TF32 for the whole process before."""
    monkeypatch.syspath_prepend(str(ROOT))
    arguments = {"home": str(tmp_path), "config": tiny("train.device=cuda"), "folder": tmp_path / "trial"}
    arguments["folder"].mkdir()
    log = tmp_path / "log.txt"
    outcome = process.run("tests.unit.machine.products:in_a_trial", arguments, log, Limits(timeout_s=300))
    assert outcome.error is None, log.read_text()
    assert outcome.reported["settings"]["before"]["cuda.matmul.allow_tf32"] == "True"
    for where in ("build", "fit", "evaluate"):
        assert outcome.reported["settings"][where]["cuda.matmul.allow_tf32"] == "False"
        assert outcome.reported["errors"][where] < ROUNDING


RECIPE = (
    *("train.max_steps=20", "tuning.rank=4", "train.clip_norm=0.1", "schedule.warmup=4"),
    *("train.validate_every=6", "train.keep=best"),
)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 5e-2)])
def test_a_recipe_in_parts_is_that_in_whole_batches(tmp_path, precision, tolerance):
    """Gradients of 16 bits are added up with their scale and clipped without it; the best state waits on the host."""
    curves = {}
    for name, knobs in {"whole": [], "parts": ["train.accumulate=2"], "free": ["train.clip_norm=null"]}.items():
        outcome = run_measured(tmp_path, tiny(*RECIPE, f"precision={precision}", *knobs), tmp_path / name)
        assert outcome.error is None, outcome.error
        measured, curves[name] = outcome.reported["measurements"], outcome.reported["curves"]
        by_step = dict(curves[name]["val_accuracy"])
        assert list(by_step) == [6, 12, 18, 20]
        assert by_step[measured["kept_steps"]] == max(by_step.values())
        assert measured["accuracy"] == pytest.approx(max(by_step.values()), abs=1e-3)
    whole, parts, free = ([loss for _, loss in curves[name]["train_loss"]] for name in ("whole", "parts", "free"))
    assert all(abs(a - b) <= tolerance * abs(a) for a, b in zip(whole, parts, strict=True))
    assert max(abs(a - b) / abs(a) for a, b in zip(whole, free, strict=True)) > 1e-3, "it is clipped"


@pytest.mark.parametrize("knobs", [("tuning=full",), ("quantization=nf4", "decoder=unet", "precision=bf16")])
def test_what_torch_s_allocator_reserves_is_what_is_said_of_it(tmp_path, monkeypatch, knobs):
    monkeypatch.syspath_prepend(str(ROOT))
    config, log = tiny("train.device=cuda", "tuning.rank=4", *knobs), tmp_path / "log.txt"
    arguments = {"home": str(tmp_path), "config": config}
    prepared = process.run("tests.trials:prepare_below", arguments, log, Limits())
    assert prepared.error is None, log.read_text()
    recorded = {**arguments, "folder": tmp_path}
    outcome = process.run("tests.gpu.tasks:record_allocations", recorded, log, Limits(timeout_s=300))
    assert outcome.error is None, log.read_text()
    moments = list(played((tmp_path / "allocations.txt").read_text()))
    assert max(abs(said - reserved) for reserved, said in moments) <= 20 * 2**20, "it is off by more than a segment"


def test_a_budget_below_the_need_ends_in_a_known_way(home):
    finished = run_sweep(home, "-m", "study.n_trials=2", "budget.memory_gib=0.01", *SMALL)
    assert finished.returncode == 1
    reasons = {str(r.reason) for r in read_results(home / "results" / "quickstart").values()}
    assert reasons <= {"oom_device", "over_budget", "predicted_oom"}


def test_offloaded_activations_leave_the_device(home):
    peaks = {}
    for offload in ("none", "activations"):
        larger = ["decoder=unet", "train.batch_size=16", "tuning.rank=4"]
        finished = run_sweep(home, *SMALL, *larger, f"offload={offload}")
        assert finished.returncode == 0, finished.stderr
        printed = dict(line.split(": ", 1) for line in finished.stdout.splitlines() if ": " in line)
        peaks[offload] = float(printed["peak_allocated_mib"])
    assert peaks["activations"] < peaks["none"]


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
@pytest.mark.parametrize(
    "knob", ["checkpointing=blocks", "offload=activations", "offload=optimizer", "offload=parameters"]
)
def test_what_saves_memory_leaves_the_loss_as_it_was(tmp_path, quantization, knob):
    curves = []
    for changed in ([], [knob]):
        config = tiny("train.max_steps=20", "tuning.rank=4", f"quantization={quantization}", *changed)
        outcome = run_measured(tmp_path, config, tmp_path / str(len(curves)))
        assert outcome.error is None, outcome.error
        curves.append([loss for _, loss in outcome.reported["curves"]["train_loss"]])
    # Kernels on a GPU may sum in another order each time.
    assert all(abs(a - b) <= 1e-3 * abs(a) for a, b in zip(*curves, strict=True))


def test_vram_falls_where_it_must():
    groups = ["tuning", "checkpointing", "offload"]
    command = [sys.executable, str(ROOT / "benchmarks" / "knobs.py"), "--json", "--steps", "3", "--groups", *groups]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    peaks = {row["knobs"]: row["peak_memory_mib"] for row in json.loads(finished.stdout)}
    assert peaks["checkpointing=blocks"] < peaks["checkpointing=none"]
    assert peaks["tuning=lora"] < peaks["tuning=full"]
    for name in ("activations", "optimizer", "parameters"):
        assert peaks[f"tuning=full offload={name}"] < peaks["tuning=full offload=none"]
