"""Parameters need a folder that is there and can be written."""

import os

import pytest

from terrasweep.config.knobs.offload import find_absent_files
from tests.composing import compose_trial


def test_a_folder_that_can_not_be_written_is_none_for_parameters(tmp_path, monkeypatch):
    config = compose_trial("offload=nvme", f"offload.nvme_path={tmp_path}")
    assert list(find_absent_files(config.offload)) == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # Whoever runs this may be root.
    (line,) = find_absent_files(config.offload)
    assert "can be written" in line


@pytest.mark.parametrize("given", ["/nowhere", 300 * "x", "~nobody_of_this_name/x"])
def test_a_folder_that_is_not_there_is_told(given):
    (line,) = find_absent_files(compose_trial("offload=nvme", f"offload.nvme_path='{given}'").offload)
    assert line.startswith(f"offload.nvme_path={given}: there is no such folder")
