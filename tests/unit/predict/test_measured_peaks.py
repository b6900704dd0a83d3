"""What was measured of one study's trials is known to the next study on the same kind of device."""

import pytest

from terrasweep.predict import measured_peaks
from terrasweep.predict.measured_peaks import calibrations, measured_before, remember
from terrasweep.results.peak_calibration import Pair, calibrate

NAMES = ("peak_memory_mib", "peak_build_mib")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(measured_peaks, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(measured_peaks, "gpu_names", lambda: ["one", "two"])
    return tmp_path


def test_each_peak_has_a_line_of_its_own():
    assert calibrations("cpu", NAMES) == dict.fromkeys(NAMES, calibrate([], "cpu"))
    remember("cpu", "a", {"peak_memory_mib": Pair(100, 180), "peak_build_mib": Pair(50, 60)})
    remember("cpu", "b", {"peak_build_mib": Pair(70, 90)})
    found = calibrations("cpu", NAMES)
    assert found["peak_memory_mib"] == calibrate([Pair(100, 180)], "cpu")
    assert found["peak_build_mib"] == calibrate([Pair(50, 60), Pair(70, 90)], "cpu")


def test_what_is_measured_again_takes_the_place_of_what_was_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr(measured_peaks, "_KEPT", 2)
    for key, measured in (("a", 110), ("b", 120), ("a", 130), ("c", 140)):
        remember("cpu", key, {"peak_memory_mib": Pair(100, measured)})
    assert calibrations("cpu", NAMES)["peak_memory_mib"] == calibrate([Pair(100, 130), Pair(100, 140)], "cpu")


def test_a_trial_that_was_measured_is_known_by_its_key():
    remember("cpu", "a", {"peak_memory_mib": Pair(100, 180)})
    assert measured_before("cpu", "a") == {"peak_memory_mib": Pair(100, 180)}
    assert measured_before("cpu", "b") == measured_before("cuda", "a") == {}


def test_another_device_and_other_code_have_measured_nothing(monkeypatch):
    remember("cuda", "a", {"peak_memory_mib": Pair(100, 180)})
    assert calibrations("cuda", NAMES)["peak_memory_mib"].pairs == 1
    assert calibrations("cpu", NAMES)["peak_memory_mib"].pairs == 0
    with monkeypatch.context() as other:
        other.setattr(measured_peaks, "gpu_names", lambda: ["two"])
        assert calibrations("cuda", NAMES)["peak_memory_mib"].pairs == 0
    monkeypatch.setattr(measured_peaks, "code_and_libraries", lambda: {"code": "another"})
    assert calibrations("cuda", NAMES)["peak_memory_mib"].pairs == 0


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"a": {"peak_memory_mib": [1]}}', '{"a": {"peak_memory_mib": ["x", 1]}}']
)
def test_a_file_that_cannot_be_read_is_begun_anew(cache, content):
    remember("cpu", "a", {"peak_memory_mib": Pair(100, 180)})
    (file,) = (cache / "measured_peaks").glob("*.json")
    file.write_text(content)
    assert calibrations("cpu", NAMES)["peak_memory_mib"].pairs == 0
    remember("cpu", "b", {"peak_memory_mib": Pair(100, 180)})
    assert calibrations("cpu", NAMES)["peak_memory_mib"].pairs == 1


def test_a_disk_that_cannot_be_written_costs_nothing(cache):
    (cache / "measured_peaks").write_text("a file in the way")
    remember("cpu", "a", {"peak_memory_mib": Pair(100, 180)})
    assert calibrations("cpu", NAMES)["peak_memory_mib"].pairs == 0
