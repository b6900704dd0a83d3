"""What a check found is printed as it was counted, on 80 columns."""

import io

import pytest
from rich.console import Console

from terrasweep.cli.check import Checked
from terrasweep.cli.check_tables import show
from terrasweep.data.inspect.checks import find_problems
from tests.unit.data.surveys import CLASSES, config, survey, two_modalities, with_image, with_labels


def printed(checked, width=80):
    stream = io.StringIO()
    show(checked.as_json(), Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def judged(seen, given):
    return Checked(config=given, survey=seen, findings=find_problems(seen, given))


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
