"""planoai.evaluation: what a set of labelled prompts says about a router."""

from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.evaluation import Labelled, load_labelled, measure, read_labelled

ROUTES = ("code", "chat")


def test_what_is_read() -> None:
    """A prompt or messages; null, alternatives, language; blank lines do no harm."""
    text = (
        '{"prompt": "a", "route": "code", "alt": ["chat"], "lang": "en"}\n\n'
        '{"messages": [{"role": "user", "content": "b"}], "route": null}\n'
    )
    first, second = read_labelled(text, "f", ROUTES)
    assert ([{"role": "user", "content": "a"}], "code", ("chat",), "en") == (
        first.body["messages"],
        first.route,
        first.also,
        first.lang,
    )
    assert (None, ()) == (second.route, second.also)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no prompts"),
        ('{"prompt": "a", "route": null}\n{', "f:2: is not JSON"),
        ('{"prompt": "a"}', "f:1: has no `route`"),
        ('{"route": "code"}', "neither `messages` nor `prompt`"),
        ('{"prompt": "a", "route": "poems"}', "'poems' is no route"),
        ("[]", "has no `route`"),
    ],
)
def test_mistakes_have_their_line(text: str, told: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(PlanoError, match=told):
        read_labelled(text, "f", ROUTES)


def test_unknown_routes_are_told_all_at_once() -> None:
    """Each with its lines, of many the first ones."""
    lines = ['{"prompt": "a", "route": "poems"}'] * 12 + ['{"prompt": "a", "route": "songs"}']
    with pytest.raises(PlanoError) as error:
        read_labelled("\n".join(lines), "f", ROUTES)
    assert error.value.message.startswith("f:1: 'poems' is no route of the configuration (lines 1, 2, 3")
    assert "10 and 2 more); 'songs' is no route of the configuration (line 13)" in error.value.message
    assert (2, "Its routes: code, chat.") == (error.value.exit_code, error.value.remedy)


def test_a_file(tmp_path: Path) -> None:
    """Prompts know their lines; what is no text is refused."""
    path = tmp_path / "f.jsonl"
    path.write_text('{"text": "a", "route": "code"}\n\n{"prompt": "b", "route": "chat"}\n')
    assert [1, 3] == [each.line for each in load_labelled(path, ROUTES)]
    path.write_bytes(b"\xff")
    with pytest.raises(PlanoError, match="not UTF-8"):
        load_labelled(path, ROUTES)


def test_the_report() -> None:
    """Strict, lenient, by route and language, confusions, downgrades, times."""

    def labelled(route: str | None, *also: str) -> Labelled:
        return Labelled({}, route, also, "en")

    outcomes = [
        (labelled("code"), "code", 1.0),
        (labelled("code"), "chat", 2.0),
        (labelled("code", "chat"), "chat", 3.0),
        (labelled("chat"), "code", 4.0),
        (labelled(None), None, 5.0),
    ]
    report = measure("builtin", outcomes, lambda route: {"code": 3.0, "chat": 1.0, None: 2.0}[route])
    assert (2, 3, 5, 1) == (
        report.strict.right,
        report.lenient.right,
        report.strict.number,
        report.always_default.right,
    )
    assert (1, 3) == (report.routes["code"].right, report.routes["code"].number)
    assert (2, 5) == (report.languages["en"].right, report.languages["en"].number)
    assert [(("code", "chat"), 2), (("chat", "code"), 1)] == report.confusions.most_common()
    # Of four prompts for a capable model one got a small one and nothing excuses it.
    assert (1, 4) == (report.downgrades.right, report.downgrades.number)
    assert (3.0, 5.0) == (report.time_ms(0.5), report.time_ms(0.99))


def test_nothing_measured() -> None:
    """No division by zero."""
    report = measure("x", [], lambda _: 1.0)
    assert (0.0, 0.0) == (report.strict.share, report.time_ms(0.5))
