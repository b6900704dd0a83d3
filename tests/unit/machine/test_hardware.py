"""Which device a trial would get, and what NVML tells of it, without torch."""

from types import SimpleNamespace

import pynvml
import pytest

from terrasweep.machine import hardware


@pytest.mark.parametrize(
    ("visible", "device"), [(None, "cuda"), ("0", "cuda"), ("1,0", "cuda"), ("", "cpu"), ("-1", "cpu"), ("-1,0", "cpu")]
)
def test_a_gpu_that_is_hidden_is_none(monkeypatch, visible, device):
    monkeypatch.setattr(hardware, "_has_gpu", lambda: True)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.effective_device("auto") == device
    assert hardware.effective_device("cuda") == "cuda"


@pytest.mark.parametrize(
    ("asked", "quota", "threads"),
    [(None, None, 3), (None, 2.5, 2), (None, 0.5, 1), (None, 64.0, 3), ("5", 2.0, 5), ("4,2", None, 4), ("", 2.0, 2)],
)
def test_a_trial_has_a_thread_per_core_that_it_may_use(monkeypatch, tmp_path, asked, quota, threads):
    # Four hardware threads on two cores, and a processor that says nothing of its core.
    for processor, core in enumerate((0, 1, 0, 1)):
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text("0")
        (folder / "core_id").write_text(str(core))
    monkeypatch.setattr(hardware, "_PROCESSORS", tmp_path)
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda process: {0, 1, 2, 3, 4})
    monkeypatch.setattr(hardware.control_groups, "processors", lambda: quota)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert hardware.compute_threads() == threads


class Driver:
    """NVML with boards by their UUID: a name and a compute capability, or an error that is raised."""

    def __init__(self, boards):
        self._boards, self.open = boards, 0

    def nvmlInit(self):  # noqa: N802 - NVML's name
        self.open += 1

    def nvmlShutdown(self):  # noqa: N802 - NVML's name
        self.open -= 1

    def nvmlDeviceGetCount(self):  # noqa: N802 - NVML's name
        return len(self._boards)

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802 - NVML's name
        return list(self._boards)[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802 - NVML's name
        if uuid.decode() not in self._boards:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return uuid.decode()

    def nvmlDeviceGetName(self, handle):  # noqa: N802 - NVML's name
        return self._boards[handle][0]

    def nvmlDeviceGetCudaComputeCapability(self, handle):  # noqa: N802 - NVML's name
        return self._boards[handle][1]


BOARDS = {"GPU-a": ("A100", (8, 0)), "GPU-b": ("H100", (9, 0)), "GPU-c": ("T4", (7, 5))}


@pytest.fixture
def driver(monkeypatch):
    made = Driver(BOARDS)
    for name in (name for name in dir(made) if name.startswith("nvml")):
        monkeypatch.setattr(pynvml, name, getattr(made, name))
    yield made
    assert made.open == 0, "what was opened is closed"


def test_boards_are_named_in_nvml_s_order(driver):
    assert hardware.gpu_names() == ["A100", "H100", "T4"]


@pytest.mark.parametrize(
    ("visible", "device", "capability"),
    [
        (None, None, (8, 0)),
        (None, 2, (7, 5)),
        (None, SimpleNamespace(index=1), (9, 0)),
        (None, SimpleNamespace(index=None), (8, 0)),
        ("2,0", None, (7, 5)),
        ("2,0", 1, (8, 0)),
        (" 2, GPU-b", 1, (9, 0)),
        (" ", 0, (8, 0)),
        ("GPU-b", 0, (9, 0)),
        ("GPU-none", 0, (0, 0)),
    ],
)
def test_a_compute_capability_is_that_of_the_visible_board(driver, monkeypatch, visible, device, capability):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.compute_capability(device) == capability


def test_without_a_driver_there_is_no_board(monkeypatch):
    def absent():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", absent)
    assert hardware.gpu_names() == []
    assert hardware.compute_capability() == (0, 0)
