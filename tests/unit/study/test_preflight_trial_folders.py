"""Trials run where a study looks for their results."""

import pytest
from omegaconf import OmegaConf

from terrasweep.results.errors import InvalidConfig
from terrasweep.study.preflight import check_trial_folders


def composed(folder, subdir="trials/0"):
    return OmegaConf.create({"hydra": {"sweep": {"dir": str(folder), "subdir": subdir}}})


def test_a_root_that_is_named_otherwise_is_the_same(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    for root in (tmp_path / "link", "link", "./home", tmp_path / "home"):
        check_trial_folders(composed(f"{root}/results/s"), tmp_path / "home" / "results" / "s")


@pytest.mark.parametrize(
    ("folder", "subdir"), [("s", "x"), ("s", "trials/x"), ("t", "trials/0"), ("s", "${hydra.job.num}")]
)
def test_what_moves_a_trial_s_folder_is_refused_in_one_line(tmp_path, folder, subdir):
    with pytest.raises(InvalidConfig, match=r"hydra\.sweep\.subdir") as refused:
        check_trial_folders(composed(tmp_path / folder, subdir), tmp_path / "s")
    assert len(str(refused.value).splitlines()) == 1
