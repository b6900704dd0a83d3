"""What steps took is known to the next study on the same device."""

import json

import pytest

from terrasweep.predict import measured_speeds
from terrasweep.predict.measured_speeds import remember_speed, speed_calibration
from terrasweep.results.speed_calibration import StepWork, Timed

WORK = StepWork(compute_s=1.0, memory_s=0.5, launch_s=0.1, traits=("precision=bf16",))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(measured_speeds, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(measured_speeds, "device_kind", lambda device: f"a {device}")
    return tmp_path


def test_what_is_measured_calibrates_and_is_measured_again_once():
    assert speed_calibration("cpu").trials == 0
    remember_speed("cpu", "a", Timed(WORK, 9.0))
    remember_speed("cpu", "a", Timed(WORK, 3.2))
    found = speed_calibration("cpu")
    assert (found.trials, found.traits) == (1, ("precision=bf16",))
    assert found.expected(WORK) == pytest.approx(3.2, rel=0.1)


def test_another_device_and_other_code_have_measured_nothing(monkeypatch):
    remember_speed("cpu", "a", Timed(WORK, 3.2))
    assert speed_calibration("cuda").trials == 0
    with monkeypatch.context() as other:
        other.setattr(measured_speeds, "device_kind", lambda device: "another processor")
        assert speed_calibration("cpu").trials == 0
    monkeypatch.setattr(measured_speeds, "code_and_libraries", lambda: {"code": "another"})
    assert speed_calibration("cpu").trials == 0


@pytest.mark.parametrize(
    "plain", [[1], {"seconds": 1}, {"compute_s": 1, "memory_s": 1, "launch_s": 1, "traits": [], "seconds": 0}]
)
def test_what_cannot_be_read_is_nothing(cache, plain):
    remember_speed("cpu", "a", Timed(WORK, 3.2))
    (file,) = (cache / "measured_speeds").glob("*.json")
    file.write_text(json.dumps({"a": plain}))
    assert speed_calibration("cpu").trials == 0
