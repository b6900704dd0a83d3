"""The listing of backbones: groups with their sizes, names by pattern, and hints for names that are not there."""

import json
import re

import pytest

from terrasweep import process
from terrasweep.models.backbones import prepared
from terrasweep.process.parent import Outcome
from terrasweep.results.errors import Crashed, HostOutOfMemory, InvalidConfig

NAMES = ["dofa_base_patch16_224", "prithvi_eo_v2_300", "timm_resnet18", "timm_vit_tiny_patch16_224"]


@pytest.fixture
def listed(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    asked = []

    def run(task, arguments, log, limits, *, start_method):
        assert start_method == "spawn"
        asked.append(task)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        return Outcome({"names": NAMES, "done": True})

    monkeypatch.setattr(process, "run", run)
    return asked


def test_every_group_says_what_it_is_in_its_first_line():
    groups = {group.name: group for group in prepared.groups()}
    assert len(groups) >= 22
    for group in groups.values():
        assert group.title
        if group.name not in ("any", "hf_vision"):
            assert re.fullmatch(r"\d+(\.\d)? M", group.parameters)
            assert re.search(r"\d{4}", group.title), f"{group.name} names no paper"
    tiny = groups["terramind_v1_tiny"]
    assert (tiny.parameters, tiny.blocks, tiny.width) == ("5.6 M", "12", "192")
    assert tiny.title == "TerraMind 1.0 tiny (Jakubik et al. 2025)"


def test_names_are_listed_once_per_version_and_leave_no_log(listed, tmp_path):
    assert prepared.cached_names() is None
    assert prepared.registry_names() == prepared.registry_names() == NAMES
    assert len(listed) == 1
    (file,) = (tmp_path / "results" / ".cache").iterdir()
    assert re.fullmatch(r"backbones-[\d.]+-[\d.a-z]+\.json", file.name)
    assert json.loads(file.read_text()) == NAMES


def test_a_spoilt_list_is_made_again(listed, tmp_path):
    prepared.registry_names()
    (file,) = (tmp_path / "results" / ".cache").iterdir()
    file.write_text("[")
    assert prepared.registry_names() == NAMES
    assert len(listed) == 2


def test_without_a_pattern_groups_come_first_and_timm_is_only_counted(listed):
    text = prepared.listing(None)
    assert text.index("backbone=") < text.index("prithvi_eo_v2_600_tl") < text.index("\n  dofa_base_patch16_224")
    assert "timm_resnet18" not in text
    assert "And 2 models of timm" in text


@pytest.mark.parametrize("pattern", ["resnet", "timm_res*", "*RESNET*"])
def test_a_part_or_a_glob_finds_names(listed, pattern):
    text = prepared.listing(pattern)
    assert "  timm_resnet18" in text
    assert "prithvi" not in text


def test_a_pattern_finds_groups_with_their_sizes_and_is_refused_where_it_matches_nothing(listed):
    text = prepared.listing("dofa")
    assert "dofa_small" in text
    assert "111.3 M" in text
    with pytest.raises(InvalidConfig, match=r"pattern prithvi_eo_v2_301: .*did you mean prithvi_eo_v2_300"):
        prepared.listing("prithvi_eo_v2_301")


def test_a_name_that_is_not_there_gets_those_near_it(listed):
    assert list(prepared.find_unknown("prithvi_eo_v2_301")) == []  # Nobody has listed them yet.
    prepared.registry_names()
    (line,) = prepared.find_unknown("prithvi_eo_v2_301")
    assert line.startswith("backbone.name=prithvi_eo_v2_301: ")
    assert "did you mean prithvi_eo_v2_300?" in line
    (line,) = prepared.find_unknown("resnet19")
    assert "did you mean timm_resnet18?" in line
    (line,) = prepared.find_unknown("zzzzzz")
    assert "terrasweep models lists them" in line


@pytest.mark.parametrize(
    "name",
    [
        *("prithvi_eo_v2_300", "terratorch_prithvi_eo_v2_300", "timm_resnet18", "resnet18", "earthmind_v1"),
        *("hf_vision", "timm_vit_tiny_patch16_224.augreg_in21k"),
    ],
)
def test_names_are_known_as_terratorch_resolves_them(listed, name):
    prepared.registry_names()
    assert list(prepared.find_unknown(name)) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(HostOutOfMemory("it grew", violation=0.5), HostOutOfMemory), (Crashed("it was killed"), Crashed)],
    ids=["memory", "a defect"],
)
def test_a_listing_that_needs_too_much_memory_is_no_crash(home, monkeypatch, error, kind):
    monkeypatch.setattr(process, "run", lambda *_, **__: Outcome(error=error))
    with pytest.raises(kind, match=r"^the backbones can't be listed: it .*; see .*backbones-\d+\.log$") as raised:
        prepared.registry_names()
    assert raised.value.violation == error.violation
