"""The help lists an option because its file is there."""

import shutil

from terrasweep.config import help_text
from tests.composing import ROOT

CONF = ROOT / "src" / "terrasweep" / "conf"


def test_a_new_option_is_its_file_alone(tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "tuning" / "bitfit.yaml").write_text("name: bitfit\n")
    before = help_text.groups()
    monkeypatch.setattr(help_text, "_FOLDER", tmp_path / "conf")
    assert "bitfit" not in before
    assert help_text.groups() == before.replace("frozen, full, lora", "bitfit, frozen, full, lora")


def test_groups_without_a_choice_are_left_out():
    named = {line.split()[0] for line in help_text.groups().splitlines() if not line.startswith("   ")}
    assert {"backbone", "tuning", "sweeps", "hydra/launcher"} <= named
    assert named.isdisjoint({"train", "budget", "tracking", "neck", "outside"})


def test_names_are_not_broken_and_lines_fit():
    words = help_text.groups().replace(",", " ").split()
    assert {file.stem for file in (CONF / "backbone").glob("*.yaml")} <= set(words)
    assert max(map(len, help_text.groups().splitlines())) <= 80
