"""A finished page in another language: sentences with elements in them, what is kept, and the form of the page."""

from __future__ import annotations

import pytest

from rarebird.report.language.catalogue import Catalogue
from rarebird.report.language.page import translated_page

CATALOGUE = Catalogue(
    {
        "Class": "类别",
        "rows": "样本",
        "Rows of {x} are few.": "{x} 的样本很少。",
        "Read {x} first.": "请先读 {x}。",
        "the page": "这一页",
        "{n} rows": "{n} 个样本",
        "{x} & more": "{x} 等",
    },
    "",
)


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ('<html lang="en"><p>Class</p>', '<html lang="zh-CN"><p>类别</p>'),
        ("<p>\n  Rows of <bdi>rows</bdi>\n are few.\n</p>", "<p>\n  <bdi>rows</bdi> 的样本很少。\n</p>"),
        ('<p>Read <a href="x.html">the page</a> first.</p>', '<p>请先读 <a href="x.html">这一页</a>。</p>'),
        ("<p><b>3</b> rows</p>", "<p><b>3</b> 样本</p>"),
        ("<p>Unknown. Rows of <b>a</b> are few.</p>", "<p>Unknown. <b>a</b> 的样本很少。</p>"),
        ('<td title="rows" data-label="Class">3 rows</td>', '<td title="样本" data-label="类别">3 个样本</td>'),
        # Names, code, and what is written as it is.
        ('<bdi title="rows">rows</bdi><code>rows</code>', '<bdi title="rows">rows</bdi><code>rows</code>'),
        (
            '<td translate="no" title="rows">rows <b>rows</b></td>',
            '<td translate="no" title="rows">rows <b>rows</b></td>',
        ),
        ('<pre aria-label="rows">rows</pre>', '<pre aria-label="样本">rows</pre>'),
        ("<style>rows</style><script>rows</script>", "<style>rows</style><script>rows</script>"),
        # Characters that HTML writes otherwise stay so, translated or not.
        ("<p>a &lt;b&gt; &amp; more</p><p>&lt;i&gt; x</p>", "<p>a &lt;b&gt; 等</p><p>&lt;i&gt; x</p>"),
        (
            '<svg viewBox="0 0 1 1"><clipPath id="a"><rect x="0"/></clipPath><text>rows</text></svg>',
            '<svg viewBox="0 0 1 1"><clipPath id="a"><rect x="0"/></clipPath><text>样本</text></svg>',
        ),
        ("<!DOCTYPE html>\n<!-- rows --><br>rows<br>", "<!DOCTYPE html>\n<!-- rows --><br>样本<br>"),
    ],
)
def test_what_is_translated_and_what_is_kept(english: str, expected: str) -> None:
    assert translated_page(english, CATALOGUE, "zh-CN") == expected


def test_a_page_that_the_catalogue_does_not_know_stays_as_it_is() -> None:
    page = '<!DOCTYPE html>\n<div class="a"><p>It &amp; <i>they</i> &#8211; x</p><ul><li>one<li>two</ul></div>\n'
    assert translated_page(page, CATALOGUE, "zh-CN") == page
