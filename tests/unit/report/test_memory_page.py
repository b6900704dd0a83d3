"""The heat map has a square per configuration, and what is put into it is text."""

import re

from terrasweep.report.memory_page import write_memory_page
from terrasweep.results.memory_plan import MemoryPlan, PlannedConfiguration, PlannedPeak
from terrasweep.results.wording import ABSENT

HOSTILE = '<script>alert("1")</script>'


def row(batch, mib, **values):
    peak = None if mib is None else PlannedPeak(predicted=mib, expected=mib, low=mib, high=mib)
    values = {**values, "train.batch_size": batch}
    return PlannedConfiguration(
        searched=values, batch_size=batch, parts=1, peak=peak, note=HOSTILE if mib is None else ""
    )


def page(tmp_path, limits, rows):
    write_memory_page(tmp_path / "a.html", MemoryPlan(name=HOSTILE, limits=limits, rows=rows, notes=[HOSTILE]))
    return (tmp_path / "a.html").read_text()


def squares(text):
    return re.findall(r'<td class="square (\w+)" style="--depth: (\d+)%" title="[^"]*">([^<]+)</td>', text)


def test_each_limit_has_a_map_whose_squares_are_shares_of_it(tmp_path):
    rows = [row(2, 512, rank=2), row(4, 1024, rank=2), row(2, 2048, rank=16), row(4, None, rank=16)]
    text = page(tmp_path, {"1 GiB": 1.0, "t4": 4.0}, rows)
    found = squares(text)
    assert found[:4] == [
        ("fits", "40", "0.50"),
        ("fits", "70", "1.00"),
        ("over", "60", "2.00"),
        ("unknown", "0", ABSENT),
    ]
    assert found[4:7] == [("fits", "18", "0.50"), ("fits", "25", "1.00"), ("fits", "40", "2.00")]
    assert "2 of 3 configurations fit." in re.sub(r"\s+", " ", text)
    assert "t4, 4.00 GiB" in text
    assert HOSTILE not in text
    assert "http" not in re.sub(r"http-equiv", "", text), "it opens without a network"


def test_without_a_limit_and_without_batches_there_is_one_map(tmp_path):
    rows = [
        PlannedConfiguration(
            searched={"rank": rank}, batch_size=4, parts=1, peak=PlannedPeak(predicted=m, expected=m, low=m, high=m)
        )
        for rank, m in ((2, 512.0), (16, 1024.0))
    ]
    found = squares(page(tmp_path, {}, rows))
    assert found == [("fits", "40", "0.50"), ("fits", "70", "1.00")]
