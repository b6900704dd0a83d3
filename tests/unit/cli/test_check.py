"""``terrasweep check`` composes as a sweep does, leaves weights aside, and prints what fits a terminal."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from terrasweep.cli.app import app
from terrasweep.cli.check import Checked, check, without_weights
from terrasweep.cli.check_tables import show
from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError, InvalidConfig
from terrasweep.trial import prepare
from tests.composing import compose_trial
from tests.unit.data.surveys import CLASSES, SAMPLES, config, image, survey, two_modalities, with_image, with_labels

FITTING = ["data.num_classes=3", "data.tile_px=64", "train.batch_size=8"]


@pytest.fixture
def looked_at(home, monkeypatch):
    """The configurations whose data was asked for; what is seen of it can be set."""
    asked = []

    def look(given):
        asked.append(given)
        if isinstance(look.seen, Exception):
            raise look.seen
        return look.seen

    # Six bands, as the default backbone has them.
    six = {"shapes": {"6x64x64": 20}, **{key: [1.0] * 6 for key in ("means", "stds")}, "not_finite": [0.0] * 6}
    look.seen = survey(**{name: {"images": {IMAGE: image(20, **six)}} for name in SAMPLES})
    look.asked = asked
    monkeypatch.setattr(prepare, "survey", look)
    return look


def printed(checked, width=80):
    stream = io.StringIO()
    show(checked.as_json(), Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def judged(seen, given):
    return Checked(config=given, survey=seen, findings=find_problems(seen, given))


def test_the_data_is_looked_at_without_weights_or_disks(looked_at):
    checked = check([*FITTING, "backbone.checkpoint=/nowhere/weights.pt", "offload=nvme", "offload.nvme_path=/nowhere"])
    (asked,) = looked_at.asked
    assert asked == checked.config
    assert (asked.backbone.checkpoint, asked.offload.name) == (None, "none")
    assert checked.findings == []


def test_what_has_to_do_with_data_stays():
    given = compose_trial("data.split.by=blocks", "offload=activations", "tuning.rank=2")
    assert without_weights(given).data == given.data
    assert without_weights(given) == replace(given, offload=replace(given.offload, name="none"))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["train.batch_size=0", "train.lr=-1"], ["train.batch_size=0", "train.lr=-1"]),
        (["data=synthetc"], ["did you mean synthetic?"]),
        (["data.nothing=3"], ["data.nothing"]),
    ],
)
def test_a_wrong_configuration_is_refused_before_the_data_is_looked_at(looked_at, overrides, told):
    with pytest.raises(InvalidConfig) as refused:
        check(overrides)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))
    assert looked_at.asked == []


def test_data_that_can_not_be_opened_is_bad_input(looked_at):
    looked_at.seen = DataError("data.root=/tiles: two files are called a; rename one")
    with pytest.raises(InvalidConfig, match="two files are called a"):
        check(FITTING)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_only_errors_change_the_exit_status(looked_at, form):
    runs = {"nothing": [], "warning": ["train.batch_size=41"], "error": ["data.num_classes=2"]}
    ended = {}
    for name, overrides in runs.items():
        looked_at.seen = replace(looked_at.seen, num_classes=3)
        ended[name] = CliRunner().invoke(app, ["check", *form, *FITTING, *overrides])
    assert {name: result.exit_code for name, result in ended.items()} == {"nothing": 0, "warning": 0, "error": 2}
    assert "train.batch_size=41" in ended["warning"].stdout
    if form:
        (finding,) = json.loads(ended["error"].stdout)["findings"]
        assert (finding["rule"], finding["level"]) == ("label-range", "error")


def test_the_tables_show_what_was_counted():
    text = printed(judged(with_labels("segmentation", "val", counts={-1: 25, 0: 45, 1: 30}, counted=75), config()))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    assert rows["val"] == ["val", "20", "20", "75", "25.0", "%"]
    assert [text.count(f"{label} {name}") for label, name in enumerate(CLASSES)] == [1, 1, 1]
    assert rows["0"] == ["0", "bare", "50.0", "%", "60.0", "%"]
    assert rows["NIR"] == ["NIR", "2,500", "±", "700", "2,500", "±", "700"]
    assert "given" not in text
    assert text.strip().endswith("Nothing found.")


def test_given_statistics_stand_beside_the_measured_and_the_share_without_data():
    seen, given = (
        with_image("val", not_finite=[0.25, 0.0]),
        config(data__means=[910.0, 2510.0], data__stds=[310.0, 1e3]),
    )
    (row,) = [line.split() for line in printed(judged(seen, given)).splitlines() if line.split()[:1] == ["RED"]]
    assert row == ["RED", *["910", "±", "310"], *["900", "±", "300"] * 2, "25.0", "%"]


def test_every_finding_is_printed_whole_errors_first():
    seen, given = two_modalities(shapes={"3x64x64": 40}, stds=[1.0, 0.0], not_finite=[0.2, 0.0])
    text = " ".join(printed(judged(seen, given)).split())
    places = [text.index(f"{f.level}: {f.line}") for f in find_problems(seen, given)]
    assert places == sorted(places)
    assert len(places) == 4
    assert "3 errors and 1 warning: a sweep on this data would not start" in text


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel", "regression"])
def test_nothing_is_wider_than_a_terminal(task):
    many = {} if task == "regression" else {"num_classes": 45, "class_names": [f"scene [{i}]" for i in range(45)]}
    given = config(task, data__root=f"/{'deep/' * 12}", data__means=[12345.678] * 2, data__stds=[1234.5678] * 2)
    text = printed(judged(survey(task, **many), given))
    assert max(map(len, (line for line in text.splitlines() if "deep" not in line))) <= 80
    assert ("and 15 more" in text) is bool(many)
    assert ("scene [3]" in text) is bool(many)
