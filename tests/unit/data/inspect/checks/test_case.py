"""What several checks ask of a survey and its configuration."""

from dataclasses import replace

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.checks.case import Case, numbers_in, shape_text, shapes_of
from terrasweep.data.inspect.survey import IMAGE
from tests.unit.data.surveys import (
    BANDS,
    CLASSES,
    config,
    labels,
    survey,
    two_modalities,
    with_image,
    with_labels,
)


def test_findings_name_the_modality_and_its_key():
    seen, given = two_modalities(shapes={"3x64x64": 40}, stds=[1.0, 0.0], not_finite=[0.2, 0.0])
    lines = {finding.rule: finding.line for finding in find_problems(seen, given)}
    assert lines["band-count"].startswith("data.modalities.S1.bands=[VV, VH]: it names 2 bands, the files have 2 or 3")
    assert lines["constant-band"].startswith("data.root=/tiles: S1: VH of train")
    assert "(VV 20.0 %;" in lines["not-finite"]
    assert lines.keys() == {"band-count", "shapes", "constant-band", "not-finite"}


def test_what_was_not_read_is_not_claimed_to_be_absent():
    part = {"samples": 5400, "read": 40, "labels": labels("classification", 40, counts={0: 20, 1: 20})}
    for read, told in (({"read": 40}, "in the 40 of 5,400 samples that were read"), ({"read": 5400}, None)):
        (finding,) = find_problems(survey("classification", train=part | read), config("classification"))
        assert finding.rule == "class-not-in-train"
        assert (told or "never in train: 2") in finding.line


def test_a_report_of_a_class_with_a_prepared_set_names_the_data():
    given = replace(config(), data=replace(config().data, name="eurosat", root=None))
    (finding,) = find_problems(with_image("train", stds=[0.0, 1.0]), given)
    assert finding.line.startswith("data=eurosat: RED of train")


def test_classes_are_those_given_then_those_seen():
    def number(seen, given):
        return Case(seen, given).num_classes

    unnamed = survey(num_classes=5, class_names=None)
    assert number(unnamed, config(data__num_classes=7, data__class_names=["a", "b"])) == 7
    assert number(unnamed, config(data__class_names=["a", "b"])) == 2
    assert number(unnamed, config()) == 5
    assert number(survey(num_classes=None), config()) == len(CLASSES)
    assert number(survey(num_classes=None, class_names=None), config()) is None


def test_labels_that_are_ignored_or_no_class_are_not_counted():
    seen = with_labels("segmentation", "train", counts={-1: 4, 0: 5, 1: 0, 2: 6, 3: 7})
    assert Case(seen, config(task__ignore_index=0)).class_counts("train") == {2: 6}
    assert Case(seen, config()).class_counts("test") == {}


def test_bands_have_the_given_names_the_files_or_numbers():
    assert Case(survey(), config(data__bands=["A", "B"])).band_names(IMAGE, 2) == ["A", "B"]
    assert Case(survey(), config()).band_names(IMAGE, 2) == BANDS
    assert Case(survey(), config()).band_names(IMAGE, 3) == ["band 1", "band 2", "band 3"]


def test_statistics_of_a_modality_are_its_own():
    seen, given = two_modalities()
    given.data.modalities["S1"].means, given.data.modalities["S1"].stds = [1.0, 2.0], [3.0, 4.0]
    case = Case(seen, given)
    assert case.given_statistics("S1") == ([1.0, 2.0], [3.0, 4.0])
    assert case.given_statistics("S2") is None
    assert case.modalities == ["S2", "S1"]


def test_shapes_are_counted_over_all_splits_and_read_as_people_do():
    seen = with_image("train", shapes={"2x64x64": 30, "2x32x48": 10})
    assert shapes_of(Case(seen, config()), IMAGE) == {"2x64x64": 50, "2x32x48": 10}
    assert numbers_in("2x32x48") == (2, 32, 48)
    assert shape_text("2x32x48") == "2 x 32 x 48"


def test_a_name_of_a_class_stands_behind_its_number_where_there_is_one():
    case = Case(survey(), config())
    assert [case.class_name(label) for label in (2, 3, -1)] == ["2 (water)", "3", "-1"]
