"""Which device a trial would get, without torch."""

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
