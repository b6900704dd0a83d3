"""``report.html`` in a browser that has no network: it draws, answers to the mouse, sorts, filters and copies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from terrasweep.data.inspect.checks import describe, find_problems
from terrasweep.report import write_report
from terrasweep.report.data_page import write_data_page
from terrasweep.results.states import State
from tests.unit.data.surveys import config as surveyed
from tests.unit.data.surveys import survey
from tests.unit.report import sample_study as sample
from tests.unit.report.test_data_page import pictures

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,1000"
)
WAIT_S = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not both installed on this machine"
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(str(CHROMEDRIVER)))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, *sample.study())
    return folder / "report.html"


@pytest.fixture
def page(browser: webdriver.Chrome, report: Path) -> webdriver.Chrome:
    """The sample study's page, freshly opened and drawn."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(report.as_uri())
    wait(browser, "return document.querySelectorAll('.plot .main-svg').length > 0")
    return browser


def wait(browser: webdriver.Chrome, condition: str) -> None:
    WebDriverWait(browser, WAIT_S, poll_frequency=0.05).until(lambda driver: driver.execute_script(condition))


def show(browser: webdriver.Chrome, element: WebElement) -> None:
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", element)


def move_to(browser: webdriver.Chrome, x: float, y: float) -> None:
    actions = ActionChains(browser, duration=50)
    actions.w3c_actions.pointer_action.move_to_location(round(x) - 3, round(y))
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.perform()


def shown_numbers(browser: webdriver.Chrome) -> list[int]:
    script = "return [...document.querySelectorAll('#trial-table tbody:not([hidden])')].map((b) => b.dataset.number)"
    return [int(number) for number in browser.execute_script(script)]


def click_header(browser: webdriver.Chrome, text: str) -> None:
    buttons = browser.find_elements(By.CSS_SELECTOR, "#trial-table th button")
    (button,) = [button for button in buttons if button.text.split("\n")[0].rstrip(" ▴▾") == text]
    show(browser, button)
    button.click()


def test_the_page_draws_all_its_figures_without_an_error_or_a_request(page: webdriver.Chrome) -> None:
    anchors = page.execute_script("return [...document.querySelectorAll('.plot')].map((plot) => plot.id)")
    expected = {"pair-0-1", "pair-0-2", "pair-1-2", "parallel", "hypervolume"} | {f"importance-{i}" for i in range(3)}
    assert set(anchors) == expected
    marks = (
        "return [...document.querySelectorAll('.plot')].map((p) => p.querySelectorAll('.point, path.js-line').length)"
    )
    assert all(page.execute_script(marks))
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert urls
    assert {url.split(":")[0] for url in urls} <= {"file", "data", "blob"}
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert page.execute_script("return window.alert.toString()").count("native code") == 1


@pytest.mark.parametrize("anchor", ["pair-0-1", "pair-0-2", "pair-1-2", "hypervolume", "parallel"])
def test_a_figure_answers_to_the_mouse(page: webdriver.Chrome, anchor: str) -> None:
    figure = page.find_element(By.ID, anchor)
    show(page, figure)
    # A point's place in the window, from the figure's own axes; hidden neighbours may answer first, all name a trial.
    place = (
        "const g = document.getElementById(arguments[0]); const l = g._fullLayout; const r = g.getBoundingClientRect();"
        "const t = g.data.filter((t) => t.hoverinfo !== 'skip' && !t.yaxis && !t.xaxis).at(-1);"
        "return [r.left + l.xaxis._offset + l.xaxis.d2p(t.x.at(-1)), r.top + l.yaxis._offset + l.yaxis.d2p(t.y.at(-1))]"
    )
    move_to(page, *page.execute_script(place, anchor))
    wait(page, f"return document.querySelectorAll('#{anchor} .hoverlayer .hovertext').length > 0")
    text = page.execute_script(f"return document.querySelector('#{anchor} .hoverlayer .hovertext').textContent")
    assert text.startswith("trial ")
    assert "quantization = " in text
    assert "undefined" not in text


def test_a_click_on_a_header_sorts_and_empty_cells_stay_last(page: webdriver.Chrome) -> None:
    before = shown_numbers(page)
    assert before == list(range(24))
    complete = [result for result in sample.results() if result.state is State.COMPLETE]
    best_first = sorted(complete, key=lambda result: -(result.value("accuracy") or 0))
    click_header(page, "accuracy (mIoU)")
    assert shown_numbers(page)[:19] == [result.number for result in best_first]
    assert set(shown_numbers(page)[19:]) == set(sample.UNFINISHED)
    click_header(page, "accuracy (mIoU)")
    assert shown_numbers(page)[:19] == [result.number for result in best_first[::-1]]
    assert set(shown_numbers(page)[19:]) == set(sample.UNFINISHED)


def test_numbers_sort_as_numbers_though_they_were_searched_as_categories(page: webdriver.Chrome) -> None:
    click_header(page, "tuning.rank")
    ranks = {result.number: result.searched.get("tuning.rank") for result in sample.results()}
    order = [ranks[number] for number in shown_numbers(page)]
    known = [rank for rank in order if rank is not None]
    assert known == sorted(known)
    assert {2, 16} <= set(known)
    assert order == known + [None] * (24 - len(known))


def test_the_text_box_and_the_state_filter_rows(page: webdriver.Chrome) -> None:
    box = page.find_element(By.ID, "filter")
    show(page, box)
    box.send_keys("int8 blocks")
    texts = {r.number: f"{' '.join(map(str, r.searched.values()))} {r.message}" for r in sample.results()}
    expected = [number for number, text in texts.items() if "int8" in text and "blocks" in text]
    assert shown_numbers(page) == expected
    assert page.find_element(By.ID, "shown").text == f"{len(expected)} of 24 trials"
    box.clear()
    box.send_keys("RuntimeError")  # messages are searched too
    assert shown_numbers(page) == [17]
    page.execute_script(
        "const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input'))"
    )
    page.find_element(By.CSS_SELECTOR, "#state-filter option[value=infeasible]").click()
    assert shown_numbers(page) == [3, 6, 11, 14]


def test_a_row_opens_to_its_message_as_text(page: webdriver.Chrome) -> None:
    body = page.find_element(By.CSS_SELECTOR, "#trial-table tbody[data-number='17']")
    details = body.find_element(By.CSS_SELECTOR, "tr.details")
    assert not details.is_displayed()
    button = body.find_element(By.CSS_SELECTOR, ".expand")
    show(page, button)
    button.click()
    assert details.is_displayed()
    assert button.get_attribute("aria-expanded") == "true"
    assert sample.SCRIPT in details.text
    assert "16 modules quantized" in details.text


def test_a_box_over_an_axis_keeps_the_trials_through_it(page: webdriver.Chrome) -> None:
    show(page, page.find_element(By.ID, "parallel"))
    place = (
        "const g = document.getElementById('parallel'); const l = g._fullLayout; const r = g.getBoundingClientRect();"
        "return [r.left + l.xaxis._offset + l.xaxis.d2p(2), r.top + l.yaxis._offset, l.yaxis._length]"
    )
    x, top, height = page.execute_script(place)  # tuning.rank: six values, 8 and 16 in the upper third
    pointer = (drag := ActionChains(page, duration=50)).w3c_actions.pointer_action
    pointer.move_to_location(round(x) - 20, round(top) + 2)
    pointer.pointer_down()
    pointer.move_to_location(round(x), round(top + height / 6))
    pointer.move_to_location(round(x) + 20, round(top + height / 3))
    pointer.pointer_up()
    drag.perform()
    wait(page, "return !document.getElementById('clear-brush').hidden")
    high = [result.number for result in sample.results() if result.searched.get("tuning.rank", 0) >= 8]
    assert shown_numbers(page) == high
    clear = page.find_element(By.ID, "clear-brush")
    show(page, clear)
    clear.click()
    assert len(shown_numbers(page)) == 24


def test_the_copy_button_says_that_it_copied(page: webdriver.Chrome) -> None:
    button = page.find_element(By.CSS_SELECTOR, ".copy")
    command = page.execute_script("return arguments[0].previousElementSibling.textContent", button)
    assert command == "python sweep.py --config-dir results/prithvi-floods/recommended --config-name most_accurate"
    show(page, button)
    button.click()
    wait(page, "return document.querySelector('.copy').textContent === 'Copied'")


@pytest.mark.parametrize("width", [1280, 768, 400])
def test_no_width_makes_the_page_scroll_sideways(page: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.refresh()
        wait(page, "return document.querySelectorAll('.plot .main-svg').length > 0")
        wait(page, "return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


PAPER_PX = {"Letter": 741, "A4": 717}
"""Widths that a browser prints on, inside of its margins."""


@pytest.mark.parametrize("paper", PAPER_PX)
def test_printed_figures_fill_their_cards_and_nothing_is_wider_than_the_paper(
    page: webdriver.Chrome, paper: str
) -> None:
    """A browser shrinks the whole page to what is too wide."""
    metrics = {"width": PAPER_PX[paper], "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        page.execute_script("dispatchEvent(new Event('beforeprint'))")
        shares = (
            "return [...document.querySelectorAll('.plot')].map((plot) =>"
            " plot.querySelector('.main-svg').getBoundingClientRect().width / plot.getBoundingClientRect().width)"
        )
        wait(page, f"{shares}.every((share) => share > 0.9 && share < 1.02)")
        wait(page, "return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        page.execute_script("dispatchEvent(new Event('afterprint'))")
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_pages_of_unfinished_studies_have_no_errors(browser: webdriver.Chrome, tmp_path: Path) -> None:
    studies = {
        "empty": (sample.record(), []),
        "failed": (sample.record(), [sample.results()[17]]),
        "single": (sample.record(objectives=sample.OBJECTIVES[:1]), sample.results()[:2]),
    }
    for name, (record, results) in studies.items():
        write_report(tmp_path / name, record, results)
        browser.get_log("browser")
        browser.get((tmp_path / name / "report.html").as_uri())
        assert browser.find_element(By.TAG_NAME, "h1").text == "prithvi-floods"
        assert len(browser.find_elements(By.CSS_SELECTOR, "tr.trial")) == len(results)
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert "undefined" not in browser.find_element(By.TAG_NAME, "body").text


def test_the_page_of_the_data_fits_a_telephone_and_lays_masks_over_images(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    described = describe(survey(), surveyed(), find_problems(survey(), surveyed()))
    write_data_page(tmp_path / "data.html", pictures(), described)
    browser.get_log("browser")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.get((tmp_path / "data.html").as_uri())
        wait(browser, "return document.documentElement.scrollWidth <= window.innerWidth")
        over = browser.find_element(By.CSS_SELECTOR, "#samples img.over")
        assert over.value_of_css_property("opacity") == "0"
        show(browser, browser.find_element(By.CSS_SELECTOR, "label.switch"))
        browser.find_element(By.CSS_SELECTOR, "label.switch").click()
        assert over.value_of_css_property("opacity") == "1"
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
