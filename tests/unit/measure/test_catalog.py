"""Each measurement is declared once, beside what takes it; names carry their units; the documentation has the table."""

from types import SimpleNamespace

import pytest

from terrasweep.measure import board, device_contention
from terrasweep.measure.catalog import (
    MEASUREMENTS,
    METERS,
    NUMERIC_MEASUREMENTS,
    POSSIBLE_OBJECTIVES,
    all_measurements,
    budget_peaks,
    measurement_or_metric,
    measurements_table,
    meters_for,
    of_build,
)
from terrasweep.measure.device_contention import DeviceContentionMeter
from terrasweep.measure.device_memory import DeviceMemoryMeter
from terrasweep.measure.host_contention import HostContentionMeter
from terrasweep.measure.host_memory import HostMemoryMeter
from terrasweep.measure.meter import MeteredTrial, Phase, metered, readings
from terrasweep.measure.throughput import ThroughputMeter
from tests.composing import ROOT

COLUMNS = (
    "accuracy,throughput_samples_per_s,peak_memory_mib,accuracy_name,peak_build_mib,peak_allocated_mib,"
    "peak_process_vram_mib,peak_host_memory_mib,allocator_retries,step_time_p50_s,step_time_p95_s,step_time_p99_s,"
    "data_wait_share,trainable_parameters,total_parameters,weight_bytes,gradient_bytes,optimizer_bytes,train_loss,"
    "train_seconds,wall_seconds,open_data_seconds,build_seconds,fit_seconds,evaluate_seconds,energy_joules,"
    "flops_per_step,kept_steps,kept_epochs,kept_samples,kept_train_seconds,test_accuracy,"
    "throughput_median_samples_per_s,throughput_error,disturbed,processors,other_processors,processor_wait_share,"
    "steal_share,cpu_pressure_share,memory_pressure_share,io_pressure_share,other_gpu_share,gpu_throttled_share,"
    "gpu_clock_drop_share,predicted_peak_mib,predicted_build_mib,predicted_throughput_samples_per_s,"
    "roofline_throughput_samples_per_s,model_flops_per_sample,mfu"
)
"""Of ``trials.csv`` since version 0.1 on; users' scripts rely on the names and on their order."""
ENDINGS = {"samples/s": "_samples_per_s", "MiB": "_mib", "bytes": "_bytes", "J": "_joules", "s": ("_s", "_seconds")}
UNITLESS_NAMES = {"1", "count", "text"}


def trial(device):
    return MeteredTrial(device=SimpleNamespace(type=device), baseline_mib=0.0, untimed_steps=3)


def test_the_columns_keep_their_order():
    assert ",".join(MEASUREMENTS) == COLUMNS


def test_all_but_words_and_what_is_not_measured_in_the_search_can_be_an_objective():
    assert set(MEASUREMENTS) - set(NUMERIC_MEASUREMENTS) == {"accuracy_name", "disturbed"}
    predicted = {name for name, measurement in MEASUREMENTS.items() if measurement.predicts}
    assert predicted == {
        *("predicted_peak_mib", "predicted_build_mib"),
        *("predicted_throughput_samples_per_s", "roofline_throughput_samples_per_s"),
    }
    assert set(NUMERIC_MEASUREMENTS) - set(POSSIBLE_OBJECTIVES) == {"test_accuracy", *predicted}


@pytest.mark.parametrize("measurement", MEASUREMENTS.values(), ids=lambda m: m.name)
def test_a_name_ends_in_its_unit_and_a_label_has_none(measurement):
    assert measurement.unit in UNITLESS_NAMES or measurement.name.endswith(ENDINGS[measurement.unit])
    assert not any(unit in measurement.label for unit in ("MiB", "bytes", "(s)", "/s"))
    assert measurement.definition.endswith(".")
    assert "|" not in measurement.definition, "it would break the table"


def test_each_meter_s_measurements_are_in_the_catalog_as_the_meter_declares_them():
    for meter in METERS:
        assert meter.measurements
        for measurement in meter.measurements:
            assert MEASUREMENTS[measurement.name] is measurement


def test_the_documentation_s_table_is_the_catalog_s():
    assert measurements_table() in (ROOT / "docs" / "measurements.md").read_text()


@pytest.mark.parametrize(
    ("device", "phase", "expected"),
    [
        ("cpu", Phase.BUILD, [HostMemoryMeter]),
        ("cpu", Phase.TRAINING, [HostContentionMeter, ThroughputMeter, HostMemoryMeter]),
        ("cpu", Phase.EVALUATION, [HostMemoryMeter]),
        ("cpu", Phase.TRAINING_AND_EVALUATION, []),
        ("cuda", Phase.BUILD, [HostMemoryMeter, DeviceMemoryMeter, board.BoardMeter]),
        (
            "cuda",
            Phase.TRAINING,
            [HostContentionMeter, DeviceContentionMeter, ThroughputMeter, HostMemoryMeter, DeviceMemoryMeter],
        ),
        ("cuda", Phase.EVALUATION, [HostMemoryMeter, DeviceMemoryMeter]),
        ("cuda", Phase.TRAINING_AND_EVALUATION, [board.BoardMeter]),
    ],
)
def test_meters_say_themselves_which_phases_they_measure(device, phase, expected, monkeypatch):
    monkeypatch.setattr(board.pynvml, "nvmlInit", lambda: None)
    for module in (board, device_contention):
        monkeypatch.setattr(module, "nvml_handle", lambda device: object())
    assert [type(meter) for meter in meters_for(phase, trial(device))] == expected


def test_a_phase_s_readings_have_the_names_that_its_meters_declare():
    for phase, peak in ((Phase.BUILD, "peak_build_mib"), (Phase.TRAINING, "peak_memory_mib")):
        meters = meters_for(phase, trial("cpu"))
        with metered(meters):
            pass
        for meter in meters:
            assert meter.reading().keys() <= {m.name for m in meter.measurements}
        assert readings(meters)[peak] > 0


def test_the_build_tells_of_its_own_peak_alone_and_all_peaks_count_against_the_budget():
    reading = {"peak_build_mib": 3.0, "peak_process_vram_mib": 4.0, "peak_host_memory_mib": 5.0, "energy_joules": 1.0}
    assert of_build(reading) == {"peak_build_mib": 3.0}
    assert budget_peaks(reading) == {"peak_build_mib": 3.0, "peak_process_vram_mib": 4.0}


def test_a_result_names_every_measurement_and_a_stranger_is_a_defect():
    whole = all_measurements({"train_loss": 0.5})
    assert list(whole) == list(MEASUREMENTS)
    assert {name for name, value in whole.items() if value is not None} == {"train_loss"}
    with pytest.raises(LookupError, match="peak_mib"):
        all_measurements({"peak_mib": 1.0})


def test_what_is_no_measurement_is_a_metric_of_the_task_under_its_own_name():
    metric = measurement_or_metric("val_IoU_water")
    assert (metric.label_with_unit, metric.unit_symbol) == ("val_IoU_water", "")
    assert measurement_or_metric("peak_memory_mib").label_with_unit == "peak memory (MiB)"
