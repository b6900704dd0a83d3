"""32-bit products are 32-bit products, whatever an import has set; in the children that train, evaluate and export."""

import pytest
import torch

from terrasweep import process
from terrasweep.machine.arithmetic import arithmetic_settings, float32_settings, set_arithmetic, set_float32_precision
from terrasweep.process.parent import Limits
from tests.composing import ROOT, compose_trial
from tests.trials import TWO_STEPS
from tests.unit.machine.products import error_of_a_product

HIGHEST = {
    "float32_matmul_precision": "highest",
    "cuda.matmul.allow_tf32": "False",
    "cudnn.allow_tf32": "False",
    "mkldnn.matmul.fp32_precision": "ieee",
}
ROUNDING = 1e-6
"""Above what 512 additions in 32 bits lose; bfloat16 loses 2e-3, and TF32 3e-4."""
TRIAL = ("decoder=linear", *TWO_STEPS, "train.device=cpu", "study.keep_weights=all")


@pytest.fixture
def child(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def run(task, config, **arguments):
        log = tmp_path / "log.txt"
        arguments |= {"home": str(tmp_path), "config": config}
        outcome = process.run(f"tests.unit.machine.products:{task}", arguments, log, Limits(timeout_s=300))
        assert outcome.error is None, log.read_text()
        return outcome.reported

    return run


def in_force(said):
    """What a torch has no name for, it does not say."""
    return {name: HIGHEST[name] for name in said}


@pytest.fixture
def as_before():
    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = convolutions


@pytest.mark.usefixtures("as_before")
def test_each_precision_is_set_for_products_and_convolutions_whatever_was_set_before():
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    said = set_float32_precision("highest")
    assert said == float32_settings() == in_force(said)
    assert set(HIGHEST) - set(said) <= {"mkldnn.matmul.fp32_precision"}
    assert error_of_a_product() < ROUNDING
    for precision in ("high", "medium"):
        said = set_float32_precision(precision)
        assert said["float32_matmul_precision"] == precision
        assert said["cudnn.allow_tf32"] == "True"


@pytest.mark.usefixtures("as_before")
def test_what_an_import_has_set_for_the_whole_process_does_not_reach_a_trial(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    try:
        said = set_arithmetic("highest")
        in_force = arithmetic_settings()["num_threads"]
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)
        deterministic = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
    assert not deterministic
    assert said.items() > float32_settings().items()
    assert (said["default_dtype"], said["cudnn.benchmark"], said["cudnn.deterministic"]) == (
        "float32",
        "False",
        "False",
    )
    assert said["num_threads"] == in_force == "3"


@pytest.mark.slow
def test_a_trial_and_its_export_multiply_in_32_bits(child, tmp_path):
    config, folder = compose_trial(*TRIAL), tmp_path / "trial"
    folder.mkdir()
    seen = child("in_a_trial", config, folder=folder)
    assert seen["settings"]["before"]["float32_matmul_precision"] == "medium", "TerraTorch sets it no more"
    for where in ("build", "fit", "evaluate"):
        assert seen["settings"][where] == in_force(seen["settings"][where]), where
        assert seen["errors"][where] < ROUNDING
    assert seen["settings"]["fit"].items() < seen["arithmetic"].items()
    exported = child("in_an_export", config, folder=folder)
    for where in ("compare", "evaluate"):
        assert exported["settings"][where] == in_force(exported["settings"][where]), where
        assert exported["errors"][where] < ROUNDING


@pytest.mark.slow
def test_what_a_trial_asks_for_holds_in_it_and_in_the_evaluation_of_its_export(child, tmp_path):
    config, folder = compose_trial(*TRIAL, "precision.matmul=medium"), tmp_path / "trial"
    folder.mkdir()
    seen = child("in_a_trial", config, folder=folder)
    assert seen["settings"]["fit"]["float32_matmul_precision"] == "medium"
    assert seen["arithmetic"]["float32_matmul_precision"] == "medium"
    exported = child("in_an_export", config, folder=folder)
    precisions = {where: said["float32_matmul_precision"] for where, said in exported["settings"].items()}
    assert precisions == {"compare": "highest", "evaluate": "medium"}


@pytest.mark.slow
def test_the_synthetic_pretraining_multiplies_in_32_bits_whatever_the_trial_asks_for(child):
    config = compose_trial(*TRIAL, "precision.matmul=medium", "backbone.checkpoint=synthetic")
    seen = child("in_a_pretraining", config)
    assert seen["settings"]["fit"] == in_force(seen["settings"]["fit"])
    assert seen["errors"]["fit"] < ROUNDING
