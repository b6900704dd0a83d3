"""What a plan demands of a configuration, and how it judges and prints numbers."""

from dataclasses import replace

import pytest

from terrasweep import process
from terrasweep.cli.plan import (
    as_json,
    choices_for_one_gpu,
    completed,
    find_lacking,
    find_violations,
    fits,
    left_out,
    plan,
    remarks,
)
from terrasweep.config.compose import compose
from terrasweep.config.schema import BudgetConfig
from terrasweep.results.errors import Crashed, DataError, InvalidConfig
from terrasweep.trial.rules import find_violations as find_all
from tests.composing import compose_trial
from tests.unit.cli.plans import GIB, found, need

ELSEWHERE = [
    "data=segmentation_folder",
    "data.root=/nowhere",
    "data.num_classes=2",
    "data.tile_px=64",
    "data.bands=${backbone.bands}",
    "backbone.checkpoint=/nowhere/weights.pt",
    "offload=nvme",
    "offload.nvme_path=/nowhere/nvme",
    "offload.deepspeed_config=/nowhere/zero.json",
]


def test_files_that_lie_elsewhere_are_not_demanded():
    config = compose_trial(*ELSEWHERE)
    missed = [line for line in find_all(config) if "/nowhere" in line]
    assert len(missed) == 4, "a trial needs every one of them"
    assert find_violations(config) == []


def test_a_disk_need_not_be_named():
    assert find_violations(compose_trial("offload=nvme")) == []


def test_a_gpu_is_planned_for_where_there_is_none():
    config = compose_trial("precision=fp16")
    assert find_violations(config) == []
    on_cpu = replace(config, train=replace(config.train, device="cpu"))
    assert len(find_violations(on_cpu)) == 1


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["quantization=nf4", "tuning=full"], ["quantization=nf4 with tuning=full"]),
        (["tuning.rank=0", "train.lr=-1"], ["train.lr=-1", "tuning.rank=0"]),
        (["optimizer=adamw8bit", "offload=parameters"], ["optimizer=adamw8bit with offload=parameters"]),
    ],
)
def test_contradictions_are_refused_as_in_a_trial(overrides, told):
    lines = find_violations(compose_trial(*overrides))
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("quantization=nf5", "quantization=nf5: not found; did you mean nf4?"),
        ("tuning.rank=choice(1,2)", "--multirun"),
        ("train.lr=abc", "train.lr"),
        ("backbone.nonsense=1", "nonsense"),
        ("backbone.argumentss.depth=1", "argumentss"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_hydra_refuses_is_one_line(home, override, told):
    with pytest.raises(InvalidConfig) as refused:
        plan([override])
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_arguments_of_a_builder_are_free(home):
    config = compose(["backbone.arguments.depth=7", "decoder.arguments.anything.below=1"])
    assert config.backbone.arguments["depth"] == 7
    assert config.decoder.arguments["anything"] == {"below": 1}


def test_limits_decide_together_and_in_32_bits():
    def fit(gpu, host):
        return fits(need(gpu=4.0, host=10.0, more=1.0), BudgetConfig(memory_gib=gpu, host_memory_gib=host))

    assert fit(None, None) is None
    assert fit(5.0, None) is fit(None, 10.0) is fit(5.0, 10.0) is True
    assert fit(4.9, 10.0) is fit(5.0, 9.9) is fit(4.9, None) is False


def test_choices_for_one_gpu_are_those_that_fit_there():
    config = compose_trial("budget.memory_gib=5")
    zero = [need("none", 2, gpu=1.0), need("optimizer", 2, gpu=4.5), need("parameters", 3), need("nvme", 3, gpus=2)]
    answer = found(zero=zero)
    assert answer.state_bytes == int(5.125 * GIB)
    assert choices_for_one_gpu(config, answer) == ["parameters"]
    assert choices_for_one_gpu(compose_trial("budget.memory_gib=5.2"), answer) == ["none", "parameters"]
    assert choices_for_one_gpu(compose_trial(), answer) is None
    # 2.25 G parameters in 32 bits while the model is built.
    for limit, held in ((8.9, []), (9.1, ["none"])):
        assert choices_for_one_gpu(compose_trial(f"budget.host_memory_gib={limit}"), answer) == held


def test_json_has_every_number():
    config = compose_trial("quantization=nf4", "budget.memory_gib=5")
    answer = found()
    numbers = as_json(config, answer)
    assert sum(size for name, size in numbers["bytes"].items() if name != "sum") == numbers["bytes"]["sum"]
    assert numbers["parameters"]["total"] == GIB // 4 + 2 * GIB
    assert [row["gpu_bytes"] for row in numbers["zero"]] == [n.gpu_bytes for n in answer.zero]
    assert {row["fits"] for row in numbers["zero"]} == {True}
    assert numbers["left_out"] == left_out(config, answer)
    assert numbers["remarks"] == remarks(config, answer)


UNGIVEN = ["data=segmentation_folder", "data.root=fields", "data.num_classes=null", "data.tile_px=null"]
ALL = ["data.bands", "data.tile_px", "data.num_classes"]


@pytest.mark.parametrize(
    ("overrides", "lacking"),
    [
        ([], []),
        (UNGIVEN, ALL),
        ([*UNGIVEN, "data.bands=[RED]", "data.resize_px=64"], ["data.num_classes"]),
        ([*UNGIVEN, "data.tile_px=64", "data.class_names=[a,b]"], ["data.bands"]),
        ([*UNGIVEN, "data.tile_px=64", "data.class_names=[a,b]", "data.bands=[4,3]"], ["data.bands"]),
        ([*UNGIVEN, "task=regression", "+data.modalities={S2: {folder: s2, bands: [RED]}}"], ["data.tile_px"]),
        (
            [*UNGIVEN, "+data.modalities={S2: {folder: s2, bands: [RED]}, S1: {folder: s1}}"],
            ALL,
        ),
    ],
)
def test_what_only_the_data_tell_is_known(overrides, lacking):
    assert find_lacking(compose_trial(*overrides)) == lacking


@pytest.fixture
def counted(home, monkeypatch):
    """Plans without a child, and keeps the configurations that were counted and those that were looked at."""
    seen = {"counted": [], "looked": []}
    monkeypatch.setattr("terrasweep.cli.plan._count", lambda config, _: seen["counted"].append(config) or found())
    monkeypatch.setattr("terrasweep.trial.prepare.survey", seen["looked"].append)
    (home / "fields").mkdir()
    return seen


def test_data_that_are_there_are_looked_at_without_what_a_look_does_not_need(counted, monkeypatch):
    filled = {"bands": ["B1", "B2"], "tile_px": 32, "num_classes": 7}
    told = lambda config: replace(config, data=replace(config.data, **filled))  # noqa: E731 - a stand-in in one line
    monkeypatch.setattr("terrasweep.data.stored.complete", told)
    config, _ = plan(["data=segmentation_folder", "data.root=fields", "offload=nvme"])
    (looked,) = counted["looked"]
    assert (looked.backbone.checkpoint, looked.offload.name) == (None, "none")
    assert looked.data.state is not None
    assert [(c.data.bands, c.data.tile_px, c.data.num_classes) for c in counted["counted"]] == [(["B1", "B2"], 32, 7)]
    assert config.data.bands == ["B1", "B2"]


def test_a_configuration_is_completed_by_its_data_or_by_what_is_said_to_be_assumed(counted, monkeypatch):
    told = lambda config: replace(config, data=replace(config.data, bands=["B1"]))  # noqa: E731 - a stand-in in one line
    monkeypatch.setattr("terrasweep.data.stored.complete", told)
    there = compose_trial("data=segmentation_folder", "data.root=fields")
    config, assumed = completed(there)
    assert (config.data.bands, assumed, len(counted["looked"])) == (["B1"], [], 1)
    gone = compose_trial("data=segmentation_folder", "data.root=gone", "data.bands=[RED]")
    config, (sentence,) = completed(gone)
    assert config == gone
    assert "tiles of 224 px and 2 classes" in sentence
    assert "data.root=gone: there is no such folder" in sentence
    whole = compose_trial()
    assert completed(whole) == (whole, [])
    assert len(counted["looked"]) == 1


def test_data_are_left_alone_where_nothing_is_lacking(counted):
    plan([*UNGIVEN[:2], "data.bands=[RED]", "data.tile_px=32", "data.num_classes=2"])
    assert counted["looked"] == []


def test_what_is_assumed_of_absent_data_is_said(counted):
    _, answer = plan(["data=segmentation_folder", "data.root=gone", "data.bands=[RED]"])
    assert counted["looked"] == []
    (note,) = [note for note in answer.notes if note.startswith("Assumed")]
    assert "tiles of 224 px and 2 classes" in note
    assert "data.root=gone: there is no such folder" in note


def test_a_refusal_without_data_says_what_they_would_tell(counted, monkeypatch):
    def refuse(config, start_method):
        raise InvalidConfig("data.bands=[]: name the bands")

    monkeypatch.setattr("terrasweep.cli.plan._count", refuse)
    with pytest.raises(
        InvalidConfig, match=r"name the bands \(only the data tell data.bands, .*data.root=gone"
    ) as refused:
        plan(["data=segmentation_folder", "data.root=gone"])
    assert len(str(refused.value).splitlines()) == 1


def test_a_look_that_fails_is_told_in_its_own_words(counted, monkeypatch):
    def fail(config):
        raise DataError("fields: it has no train/")

    monkeypatch.setattr("terrasweep.trial.prepare.survey", fail)
    with pytest.raises(InvalidConfig, match=r"^fields: it has no train/$"):
        plan(["data=segmentation_folder", "data.root=fields"])


def test_a_card_is_judged_by_what_was_counted_and_that_is_said():
    limited = compose_trial("budget.memory_gib=24")
    assert any("nothing measured on a GPU" in remark for remark in remarks(limited, found()))
    assert not any("nothing measured on a GPU" in remark for remark in remarks(compose_trial(), found()))


@pytest.mark.parametrize(
    ("error", "kept"), [(Crashed("it was ended by SIGKILL"), True), (InvalidConfig("decoder=x: none; use y"), False)]
)
def test_a_count_that_fails_says_where_its_log_lies_unless_the_configuration_is_wrong(
    home, monkeypatch, tmp_path, error, kept
):
    logs = []

    def fail(task, arguments, log, limits, start_method):
        logs.append(log)
        return process.Outcome(error=error)

    monkeypatch.setattr(process, "run", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(type(error)) as told:
        plan(["backbone.checkpoint=null"])
    (log,) = logs
    assert log.exists() == kept
    assert str(told.value) == (f"{error}; see {log}" if kept else str(error))
