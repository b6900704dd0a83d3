"""A task's own validation metric can be an objective, and a misspelt one is refused before anything is trained."""

from dataclasses import replace

import pytest

from terrasweep.config.losses import LOSSES
from terrasweep.config.validation_metrics import VALIDATION_METRICS, find_unknown_objectives, validation_metrics_table
from terrasweep.data.rules import known_classes
from terrasweep.trial import rules
from tests.composing import ROOT, compose_trial


def wanting(name, *overrides):
    return compose_trial(f"study.objectives=[{{name: {name}, direction: maximize}}]", *overrides)


def test_every_task_has_its_metrics_and_its_accuracy_is_one_of_them():
    assert VALIDATION_METRICS.keys() == LOSSES.keys()
    for task, metrics in VALIDATION_METRICS.items():
        assert compose_trial(f"task={task}").task.accuracy in metrics.overall


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("val_F1_Score", ()),
        ("val_loss", ()),
        ("val_IoU_maize", ()),
        ("val_Class_F1_wheat", ("task=classification", "decoder=identity")),
        ("accuracy", ()),
        ("peak_memory_mib", ()),
    ],
)
def test_what_a_trial_measures_can_be_an_objective(name, overrides):
    assert list(rules.find_violations(wanting(name, *overrides), files=False)) == []


@pytest.mark.parametrize(
    ("name", "overrides", "told"),
    [
        ("val_F1_Scor", (), "did you mean val_F1_Score?"),
        ("val_IoU_maiz", (), "did you mean val_IoU_maize?"),
        ("val_Class_F1_wheat", (), "unknown objective 'val_Class_F1_wheat'; did you mean val_Class_Accuracy_wheat?"),
        ("val_mIoU", (), "what task=segmentation calls its accuracy; use accuracy"),
        ("F1_Score", (), "unknown objective 'F1_Score'"),
        ("acuracy", (), "did you mean accuracy?"),
        ("accuracy_name", (), "unknown objective"),
        ("test_accuracy", (), "'test_accuracy' is measured after the search, and can't guide it; use accuracy"),
        ("predicted_peak_mib", (), "'predicted_peak_mib' is predicted, and not measured; use peak_memory_mib"),
        ("test_acuracy", (), "unknown objective 'test_acuracy'"),
    ],
)
def test_what_none_measures_is_refused_in_one_line(name, overrides, told):
    (line,) = rules.find_violations(wanting(name, *overrides), files=False)
    assert line.startswith("study.objectives: ")
    assert told in line


def test_classes_that_nobody_knows_yet_may_have_any_name():
    config = replace(wanting("val_IoU_water"), data=replace(compose_trial().data, name="segmentation_folder"))
    assert known_classes(config) == []
    assert list(find_unknown_objectives(config, [])) == []
    numbered = replace(config, data=replace(config.data, num_classes=2))
    assert known_classes(numbered) == ["0", "1"]
    assert len(list(find_unknown_objectives(numbered, known_classes(numbered)))) == 1
    named = replace(config, data=replace(config.data, class_names=["land", "water"]))
    assert list(find_unknown_objectives(named, known_classes(named))) == []


def test_the_documentation_s_table_is_the_one_that_objectives_are_held_to():
    assert validation_metrics_table() in (ROOT / "docs" / "tasks.md").read_text()
