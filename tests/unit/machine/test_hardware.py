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
