"""What is put into a page is text; the package's own files are taken over as they are; every page has one frame."""

from importlib.resources import files

from terrasweep.report.packaged import packaged, page_environment


def test_what_is_put_in_is_escaped_and_what_is_packaged_is_not():
    template = page_environment().from_string("{{ text }}{{ own }}")
    assert template.render(text="<b>", own=packaged("page.css")).startswith("&lt;b&gt;:root {")


def test_every_page_has_its_head_from_one_template():
    pages = [file for file in files("terrasweep.report").joinpath("templates").iterdir() if file.name.endswith(".html")]
    assert [file.name for file in pages if "<head>" in file.read_text()] == ["page.html"]
