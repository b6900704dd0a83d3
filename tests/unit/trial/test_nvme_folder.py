"""A trial's folder on a disk ends with the trial, and what killed ones left goes with the next."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from terrasweep.machine.process_identity import this_process
from terrasweep.trial.nvme_folder import own_nvme_folder
from tests.composing import compose_trial


@pytest.fixture
def config(tmp_path):
    base = compose_trial()
    return replace(base, offload=replace(base.offload, name="nvme", nvme_path=str(tmp_path)))


def test_a_folder_of_its_own_is_there_for_as_long_as_the_trial(config, tmp_path):
    with own_nvme_folder(config) as here, own_nvme_folder(config) as other:
        assert here.offload.nvme_path != other.offload.nvme_path
        assert Path(here.offload.nvme_path).parent == tmp_path
        (Path(here.offload.nvme_path) / "states.swp").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_it_goes_when_the_trial_fails(config, tmp_path):
    with pytest.raises(RuntimeError), own_nvme_folder(config):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_sweep_left_is_removed_and_what_another_one_uses_stays(config, tmp_path):
    code = "from terrasweep.machine.process_identity import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    kept = {f"terrasweep-{this_process()}-abc", "terrasweep-notes", "mine"}
    for name in {f"terrasweep-{dead}-xyz", *kept}:
        (tmp_path / name).mkdir()
    with own_nvme_folder(config):
        pass
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_other_offloads_need_none():
    config = compose_trial()
    with own_nvme_folder(config) as here:
        assert here is config
