"""What users wrote, on its way into a page: names, times, READMEs, where to go next. Pure."""

import re
from urllib.parse import unquote

import pytest
from starlette.requests import Request

from orchestrator.domain.records import Space
from orchestrator.domain.seen import BuildState
from orchestrator.domain.space import Visibility, Wish
from orchestrator.domain.stage import Stage
from web import markdown, shapes
from web.files import place
from web.markdown import paragraph, readme, without_front_matter
from web.session import proof, safe_next
from web.shapes import plain, seconds, size


def space(**card: object) -> Space:
    return Space("a" * 24, "ada", "b" * 24, "demo", "ada-demo", Visibility.PUBLIC, Wish("a" * 24), card=card)


def test_every_stage_and_every_state_of_a_build_has_words():
    assert set(shapes.STAGES) == set(Stage)
    assert set(shapes.BUILD_STATES) == set(BuildState)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  A  title\n", "A title"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("bell\x07 and \x1b[31mred", "bell and [31mred"),
        (None, "None"),
        (["a"], "['a']"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_name_is_one_calm_line(written, shown):
    assert plain(written) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (0.42, "0.4 s"),
        (59.2, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (172800, "2 days"),
        (-5, "0.0 s"),
        (None, ""),
    ],
)
def test_lengths_of_time(given, shown):
    assert seconds(given) == shown


def test_sizes():
    assert [size(n) for n in (0, 999, 1000, 1_500_000, 2_000_000_000)] == ["0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB"]


def test_ago():
    assert shapes.ago(None) == "never"
    assert [shapes.ago(10_000_000 - s, 10_000_000) for s in (3, 90, 7200, 90_000)] == [
        "just now",
        "2 min ago",
        "2 h ago",
        "1 day ago",
    ]


def test_a_card_with_nonsense_still_has_colours_and_no_emoji():
    odd = space(emoji="<script>", colorFrom='red"><script>', colorTo=7, title="\u202e", short_description=None)
    assert shapes.emoji(odd) == ""
    assert re.fullmatch(r"from-[a-z]+ to-[a-z]+", shapes.gradient(odd))
    assert shapes.title(odd) == "demo"
    assert shapes.about(odd) == ""
    assert shapes.emoji(space(emoji="👩‍🚀")) == "👩‍🚀"
    assert shapes.gradient(space(colorFrom="red", colorTo="blue")) == "from-red to-blue"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    "<iframe src=https://example.org></iframe>",
    "<form action=/logout method=post><button>x</button></form>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed' onclick=alert(1) id=main class=flash>x</p>",
    "<base href=https://example.org>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--<img src=--><img src=x onerror=alert(1)//>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_readme_can_do_no_harm(text):
    html = str(readme(text, "/files", "/media"))
    tags = re.findall(r"<[^>]*>", html)
    for tag in tags:
        assert not re.search(r"\son\w+\s*=|\sstyle|\sid=|\sclass=", tag, re.I), tag
        assert not re.match(
            r"</?(script|svg|math|iframe|form|style|base|meta|button|input|object|noscript)\b", tag, re.I
        ), tag
        assert not re.search(r"(?:href|src)=\"?\s*(javascript|data|vbscript)", tag, re.I), tag


def test_links_of_a_readme_stay_in_the_repo():
    html = str(
        readme(
            "![a](assets/a.png) [b](../../../b.py) [c](#top) [d](https://example.org/x) <img src=//x.org/y>", "/f", "/m"
        )
    )
    assert 'src="/m/assets/a.png"' in html
    assert 'href="/f/b.py"' in html
    assert 'href="#top"' in html
    assert 'href="https://example.org/x" rel="nofollow ugc noopener"' in html
    assert 'src="//x.org/y"' in html


def test_front_matter_is_not_shown():
    assert without_front_matter("---\ntitle: x\n---\n# Hi\n") == "# Hi\n"
    assert without_front_matter("no front\n---\nx\n---\n") == "no front\n---\nx\n---\n"


def test_a_reason_with_backticks_is_code_and_escaped():
    assert paragraph("no `<b>` and <i>") == "no <code>&lt;b&gt;</code> and &lt;i&gt;"


@pytest.mark.parametrize("path", ["/", "/spaces/a/b?x=1#y", "/open?to=http%3A%2F%2Fa.localhost%3A8000%2F", "/a//b"])
def test_next_leads_to_pages_of_ours(path):
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        None,
        "https://evil.org",
        "//evil.org",
        "/\\evil.org",
        "\\\\evil.org",
        "/a\\b",
        "/%2fevil.org",
        "/%2F%2Fevil.org",
        "/%5cevil.org",
        "/\tevil",
        "/\n/evil.org",
        "/%09/evil.org",
        " /x",
        "javascript:alert(1)",
        "/" + "x" * 3000,
        "/ü",
    ],
)
def test_next_leads_nowhere_else(path):
    assert safe_next(path) == "/"


def test_the_proof_of_a_form_tells_nothing_of_its_key():
    assert proof("one") != proof("two")
    assert "one" not in proof("one")


def asked(raw: str) -> Request:
    scope = {"type": "http", "scheme": "http", "server": ("podium", 80), "headers": [], "query_string": b""}
    return Request(scope | {"path": unquote(raw), "raw_path": raw.encode()})


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("/spaces/a/b/tree/main", ("main", "")),
        ("/spaces/a/b/tree/", ("main", "")),
        ("/datasets/a/b/tree/main/x", ("main", "x")),
        ("/a/b/blob/v1/x/y", ("v1", "x/y")),
        ("/spaces/a/b/tree/refs%2Fpr%2F1/x/y%20z", ("refs/pr/1", "x/y z")),
        ("/spaces/a/b/blob/main/f%C3%BCr%20dich.txt", ("main", "für dich.txt")),
        ("/spaces/a/b/blob/main/100%25.txt", ("main", "100%.txt")),
    ],
)
def test_revision_and_path(raw, wanted):
    assert place(asked(raw)) == wanted


@pytest.mark.parametrize(
    "raw", ["/spaces/a/b/blob/main/../x", "/spaces/a/b/blob/main/%2e%2e/x", "/spaces/a/b/blob/main/a%00b"]
)
def test_paths_that_no_repo_has(raw):
    from orchestrator.errors import NotFound

    with pytest.raises(NotFound):
        place(asked(raw))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("<b>x</b>", "<b>x</b>"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("</i>x<b>", "x<b></b>"),
        ('<img alt="a>b"><br>', '<img alt="a>b"><br>'),
        ("<B>x</b", "<B>x</b>"),
        ("1 < 2 </> <3", "1 < 2 </> <3"),
    ],
)
def test_tags_are_closed_in_order(given, told):
    assert markdown._shallow(given) == told


def test_no_text_is_nested_deeply():
    """Thousands of open tags with attributes of their own took seconds."""
    for text in (
        "".join(f"<font a={n}><p>" for n in range(2400)),
        "<div>" * 2000,
        "<b>" * 30_000,
        "</b><b x=1>" * 2000,
    ):
        html = markdown.comment(text)
        depth = deepest = 0
        for slash in re.findall(r"<(/?)(?:b|p|div)\b", html):
            depth += -1 if slash else 1
            deepest = max(deepest, depth)
        assert deepest <= 50
