"""What is put into a page is text; the package's own files are taken over as they are."""

from terrasweep.report.packaged import packaged, page_environment


def test_what_is_put_in_is_escaped_and_what_is_packaged_is_not():
    template = page_environment().from_string("{{ text }}{{ own }}")
    assert template.render(text="<b>", own=packaged("report.css")).startswith("&lt;b&gt;:root {")
