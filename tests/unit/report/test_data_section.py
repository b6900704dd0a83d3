"""The study's data comes into the report as it was seen, escaped, and only where it was looked at."""

import dataclasses
import json

import pytest

from terrasweep.data.inspect.checks import describe, find_problems
from terrasweep.report import write_report
from terrasweep.report.data_section import SHOWN, data_section
from terrasweep.results.study_record import StudyRecord
from tests.unit.data.surveys import SAMPLES, config, labels, survey, two_modalities, with_labels
from tests.unit.report import sample_study as sample


def recorded(seen, given):
    described = describe(seen, given, find_problems(seen, given))
    return sample.record(data=described), described


def written(folder, record):
    """The page's section and the Markdown's, as text."""
    write_report(folder, record, sample.results())
    page, text = ((folder / name).read_text() for name in ("report.html", "report.md"))
    section = page.partition('<section id="data">')[2].partition("</section>")[0]
    return section, text.partition("## Data\n")[2].partition("\n## ")[0]


def test_page_and_markdown_show_splits_classes_and_every_warning(tmp_path):
    rare = with_labels("segmentation", "train", counts={0: 90_000, 1: 9_500, 2: 500, -1: 100_000}, counted=100_000)
    named = dataclasses.replace(rare, class_names=["bare", "crop", "<i>water|sea</i>"])
    record, described = recorded(named, config(train__batch_size=64))
    assert len(described["warnings"]) == 2
    page, text = written(tmp_path, record)
    for shown in (page, text):
        for told in ("share in train", "90.0 %", "0.5 %", "100,000", "50.0 %", "2 bands (RED, NIR)", "64 x 64 pixels"):
            assert told in shown
        assert "<i>water" not in shown
        assert "&lt;i&gt;water" in shown
    assert "2 &lt;i&gt;water\\|sea&lt;/i&gt; | 0.5 % |" in text
    assert page.count("<li>") == text.count("\n- data") + text.count("\n- train") == 2
    assert "train.batch\\_size=64: train has 40 samples only" in text


def test_tables_in_markdown_are_whole(tmp_path):
    record, _ = recorded(*two_modalities())
    _, text = written(tmp_path, record)
    rows = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert rows == [5] * (2 + len(SAMPLES)) + [4] * (2 + 3)
    assert "- S1: 2 bands (VV, VH)" in text
    assert "found nothing" in text


def test_a_bar_is_as_wide_as_its_share():
    record, described = recorded(survey(), config())
    section = data_section(record.data)
    for (_, cells), entry in zip(section["classes"], described["summary"]["classes"], strict=True):
        assert [width for _, width in cells] == [100 * entry["shares"][split] for split in SAMPLES]


def test_of_many_classes_the_most_frequent_are_shown_and_the_others_counted():
    counts = {label: label + 1 for label in range(SHOWN + 7)}
    many = {"class_names": None, "num_classes": len(counts)}
    changed = {name: {"labels": labels("classification", 40, counts=counts)} for name in SAMPLES}
    section = data_section(recorded(survey("classification", **changed, **many), config("classification"))[0].data)
    assert section["more_classes"] == 7
    assert [name for name, _ in section["classes"]] == [str(n) for n in sorted(counts, reverse=True)[:SHOWN]]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_every_task_has_columns_for_its_cells(task):
    section = data_section(recorded(survey(task), config(task))[0].data)
    assert {len(row) for row in section["splits"]} == {len(section["split_columns"])}
    assert ("targets from" in section["split_columns"]) is (task == "regression") is (section["classes"] == [])


def test_samples_that_were_not_read_are_told():
    section = data_section(recorded(survey(train={"samples": 5400}), config())[0].data)
    assert section["split_columns"][1:3] == ["samples", "read for the checks"]
    assert section["splits"][0][:3] == ["train", "5,400", "40"]


def test_a_study_without_a_look_at_its_data_has_no_such_section(tmp_path):
    page, text = written(tmp_path, sample.record())
    assert page == text == ""


def test_the_record_keeps_it_and_older_records_are_read():
    record, _ = recorded(survey(), config())
    assert StudyRecord.from_json(record.to_json()) == record
    older = json.loads(record.to_json())
    del older["data"]
    assert StudyRecord.from_json(json.dumps(older)) == dataclasses.replace(record, data={})


def test_the_page_of_the_data_is_linked_where_it_is_there(tmp_path):
    record, _ = recorded(survey(), config())
    assert "data.html" not in written(tmp_path, record)[0]
    (tmp_path / "data.html").touch()
    assert '<a href="data.html">' in written(tmp_path, record)[0]
