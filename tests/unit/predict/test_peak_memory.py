"""Predictions are made once and kept by what they depend on."""

import pytest

from terrasweep.predict import kept_predictions, peak_memory
from terrasweep.predict.peak_memory import predict_peak_memory
from terrasweep.predict.trace import Block, Kind, Phase, Trace
from tests.composing import compose_trial

MIB = 2**20


@pytest.fixture
def traces(monkeypatch, tmp_path):
    """How often a trial is traced."""
    made = []

    def trace(config, device):
        made.append(device)
        block = Block(3 * MIB, device == "cpu", Kind.WEIGHTS)
        return Trace(events=[(0, 3 * MIB)], blocks=[block], begins=[(Phase.BUILD, 0), (Phase.STEADY_STEP, 1)])

    monkeypatch.setattr(peak_memory, "trace_training", trace)
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path)
    return made


def test_the_same_question_is_traced_once(traces):
    first = predict_peak_memory(compose_trial(), "cpu")
    assert predict_peak_memory(compose_trial("train.lr=1e-5", "budget.memory_gib=3"), "cpu") == first
    assert traces == ["cpu"]
    assert first.peak_memory_mib == 3


def test_a_batch_between_two_that_were_traced_needs_no_trace(traces):
    for batch in (4, 16):
        predict_peak_memory(compose_trial(f"train.batch_size={batch}"), "cpu")
    assert predict_peak_memory(compose_trial("train.batch_size=8"), "cpu").peak_memory_mib == 3
    predict_peak_memory(compose_trial("train.batch_size=8", "checkpointing=blocks"), "cpu")
    assert traces == ["cpu"] * 3


@pytest.mark.parametrize("knob", ["train.batch_size=16", "tuning.rank=3", "checkpointing=blocks", "data.tile_px=96"])
def test_what_bears_on_memory_is_traced_anew(traces, knob):
    predict_peak_memory(compose_trial(), "cpu")
    predict_peak_memory(compose_trial(knob), "cpu")
    assert traces == ["cpu", "cpu"]


def test_a_gpu_reserves_in_whole_segments(traces):
    assert predict_peak_memory(compose_trial(), "cuda").peak_memory_mib == 20
    assert predict_peak_memory(compose_trial(), "cuda").peak_allocated_mib == 3
    assert traces == ["cuda"]


def test_a_file_that_cannot_be_read_is_made_anew(traces, tmp_path):
    predict_peak_memory(compose_trial(), "cpu")
    for file in (*(tmp_path / "predictions").iterdir(), *(tmp_path / "traces").glob("*/*")):
        file.write_text("{}")
    assert predict_peak_memory(compose_trial(), "cpu").peak_memory_mib == 3
    assert traces == ["cpu", "cpu"]


def test_what_was_assumed_is_told(traces):
    knobs = ("quantization=nf4", "quantization.skip=auto", "quantization.skip_count=2", "tuning.initialisation=loftq")
    notes = predict_peak_memory(compose_trial(*knobs), "cpu").notes
    assert [note.partition(":")[0] for note in notes] == ["quantization.skip=auto", "tuning.initialisation=loftq"]
    offloaded = compose_trial("offload=nvme", "offload.nvme_path=/tmp", "offload.deepspeed_config=/own.json")
    notes = predict_peak_memory(offloaded, "cpu").notes
    assert [note.partition(":")[0] for note in notes] == ["offload=nvme", "offload.deepspeed_config"]
    assert predict_peak_memory(compose_trial(), "cpu").notes == []
