"""The confusion of the recommended trials comes into the report with its names, escaped, and only where it is known."""

import dataclasses
import re

import numpy as np
import pytest

from terrasweep.report.confusion_section import CLASSES, MISTAKES, MISTAKES_ALONE, confusion_cards
from terrasweep.report.heat_map import MOST_CLASSES
from terrasweep.report.markdown import write_markdown
from terrasweep.report.page import write_page
from terrasweep.report.recommendations import choose
from terrasweep.report.study_outcome import summarize
from terrasweep.results.confusion import Confusion
from tests.unit.report import sample_study as sample
from tests.unit.report.written_page import page_of

ODD = "<i>urban|é</i>"


def study_with(confusion):
    """The sample study, whose complete trials all confused the same."""
    record, trials = sample.study()
    return summarize(record, [dataclasses.replace(r, confusion=confusion if not r.reason else None) for r in trials])


def written(folder, outcome):
    """The page's section and the Markdown's, as text."""
    write_page(folder, outcome)
    write_markdown(folder, outcome)
    page = (folder / "report.html").read_text().partition('<section id="confusion">')[2].partition("</section>")[0]
    text = (folder / "report.md").read_text().partition("## Confusion of")[2].partition("\n## ")[0]
    return page, text


def by_hand(task="segmentation"):
    return Confusion(task=task, classes=["water", ODD, "never"], counts=[[900, 100, 0], [300, 1700, 0], [0, 0, 0]])


def by_chance(classes):
    counts = np.random.default_rng(classes).integers(1, 1000, size=(classes, classes))
    return Confusion(task="segmentation", classes=[f"c{i}" for i in range(classes)], counts=counts.tolist())


def test_a_card_per_recommended_trial_names_all_its_roles():
    outcome = study_with(by_hand())
    cards = confusion_cards(outcome)
    chosen = choose(outcome)
    assert len(cards) == len({result.number for result in chosen.values()})
    assert sum(len(card.title.split(", ")) for card in cards) == len(chosen)
    assert cards[0].title.startswith("Most accurate")
    assert cards[0].trial == f"trial {chosen['most_accurate'].number}"


def test_rows_and_mistakes_say_what_the_counts_do():
    card = confusion_cards(study_with(by_hand()))[0]
    assert card.summary == "2,600 of 3,000 pixels have the class of their label (86.7 %)."
    assert card.columns == ["class", "labels", "recall", "precision", "IoU"]
    assert card.rows == [
        (["water", "1,000", "90.0 %", "75.0 %", "69.2 %"], 69.2),
        ([ODD, "2,000", "85.0 %", "94.4 %", "81.0 %"], 81.0),
    ]
    assert card.mistakes == [
        f"{ODD} taken for water: 300 pixels, 15.0 % of {ODD}",
        f"water taken for {ODD}: 100 pixels, 10.0 % of water",
    ]
    assert (card.absent, card.more) == ("never", 0)
    assert confusion_cards(study_with(by_hand("classification")))[0].columns[-1] == "F1"


def test_page_and_markdown_show_it_and_escape_names(tmp_path):
    page, text = written(tmp_path, study_with(by_hand()))
    for shown in (page, text):
        assert "<i>urban" not in shown
        assert "&lt;i&gt;urban" in shown
        for told in ("300 pixels, 15.0 %", "Neither labelled nor predicted: never", "69.2 %", "2,600 of 3,000"):
            assert told in shown
    assert "(300 of 2,000 pixels)</title>" in page
    rows = [len(re.findall(r"(?<!\\)\|", line)) - 1 for line in text.splitlines() if line.startswith("|")]
    assert rows == [5] * 4
    assert '<a href="#confusion">' in (tmp_path / "report.html").read_text()


def test_the_drawing_says_in_words_what_it_shows(tmp_path):
    write_page(tmp_path, study_with(by_hand()))
    maps = [attrs for tag, attrs in page_of(tmp_path).tags if tag == "svg"]
    assert len(maps) == len(confusion_cards(study_with(by_hand())))
    for attrs in maps:
        assert attrs["role"] == "img"
        assert f"Most often {ODD} is taken for water" in attrs["aria-label"]


@pytest.mark.parametrize(("classes", "drawn", "told"), [(64, True, MISTAKES), (65, False, MISTAKES_ALONE)])
def test_many_classes_stay_readable(classes, drawn, told, tmp_path):
    assert MOST_CLASSES == 64
    confusion = by_chance(classes)
    outcome = study_with(confusion)
    card = confusion_cards(outcome)[0]
    page, text = written(tmp_path, outcome)
    assert ("<svg" in page) == drawn
    assert len(card.mistakes) == told
    assert (len(card.rows), card.more) == (CLASSES, classes - CLASSES)
    ious = sorted(tally.iou for tally in confusion.tallies())
    assert [share for _, share in card.rows] == [pytest.approx(100 * iou, abs=0.06) for iou in ious[:CLASSES]]
    for shown in (page, text):
        assert f"and {classes - CLASSES} more with a higher IoU" in shown


def test_independent_labels_say_what_was_missed_and_what_was_given(tmp_path):
    confusion = Confusion(task="multilabel", classes=["water", ODD], counts=[[30, 5, 10, 55], [0, 0, 0, 100]])
    card = confusion_cards(study_with(confusion))[0]
    assert card.map is None
    assert card.summary == "185 of 200 answers, one per sample and label, are right (92.5 %)."
    assert card.mistakes == ["water: missed in 10 of 40 samples that have it, given to 5 of 60 that don't"]
    assert card.rows == [(["water", "40", "30", "5", "10", "75.0 %", "85.7 %", "80.0 %"], 80.0)]
    assert card.absent == ODD
    page, text = written(tmp_path, study_with(confusion))
    assert "<svg" not in page
    assert "missed in 10 of 40" in text


def test_a_study_of_before_it_was_kept_has_no_such_section(tmp_path):
    write_page(tmp_path, summarize(*sample.study()))
    write_markdown(tmp_path, summarize(*sample.study()))
    assert 'id="confusion"' not in (tmp_path / "report.html").read_text()
    assert "Confusion" not in (tmp_path / "report.md").read_text()


def test_a_trial_without_a_mistake_says_so(tmp_path):
    page, _ = written(
        tmp_path, study_with(Confusion(task="classification", classes=["a", "b"], counts=[[2, 0], [0, 2]]))
    )
    assert "Nothing was confused." in page
