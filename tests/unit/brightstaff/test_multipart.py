"""brightstaff.multipart: the field `model` of a form, where it is and nothing else."""

import asyncio
from urllib.parse import quote

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.multipart import BadMultipartError, model_span

FORM = "multipart/form-data; boundary=b"


def part(head: str, value: str) -> str:
    """One part of a form with the boundary `b`."""
    return f"--b\r\n{head}\r\n\r\n{value}\r\n"


def model_in(body: bytes, content_type: str) -> bytes | None:
    """The bytes at the span."""
    span = model_span(body, content_type)
    return None if span is None else body[span[0] : span[1]]


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="model"',
        "content-disposition:form-data;name=model",
        'CONTENT-DISPOSITION: form-data; NAME="model"',
        'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="model"',
        'Content-Disposition: form-data; name="model"\r\nContent-Length: 3',
        'Content-Disposition: form-data;\r\n name="model"',
        'Content-Disposition: form-data; filename="x"; name="model"',
        'Content-Disposition: form-data; name="model"; filename="\u00e9.txt"',
    ],
)
def test_the_field_in_every_spelling(head: str) -> None:
    """Quotes or none, any case, any order, folded lines, further headers."""
    body = (part('Content-Disposition: form-data; name="file"', "model") + part(head, "one/m") + "--b--\r\n").encode()
    assert b"one/m" == model_in(body, FORM)


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="models"',
        'Content-Disposition: form-data; name="Model"',
        'Content-Disposition: form-data; filename="model"; name="file"',
        'Content-Disposition: form-data; name="file"; filename="x; name=model"',
        'Content-Disposition: form-data; name="x; name=model"',
        'Content-Type: text/plain; name="model"\r\nContent-Disposition: form-data; name="file"',
        'Content-Disposition: form-data; name*=a; name*0="model"',
        "X-Nothing: 1",
        "",
    ],
)
def test_what_only_looks_like_the_field(head: str) -> None:
    """File names, other fields and other headers are not taken for it."""
    assert model_in((part(head, "one/m") + "--b--\r\n").encode(), FORM) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (part('Content-Disposition: form-data; name="model"', "") + "--b--", b""),
        (part('Content-Disposition: form-data; name="model"', " m \r\n") + "--b--", b" m \r\n"),
        ("preamble\r\n" + part('Content-Disposition: form-data; name="model"', "m") + "--b--\r\nepilogue", b"m"),
        (
            part('Content-Disposition: form-data; name="model"', "first")
            + part('Content-Disposition: form-data; name="model"', "second")
            + "--b--",
            b"first",
        ),
        ('--b  \r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--', b"m"),
        ("--b--", None),
        ('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ncut off', None),
    ],
)
def test_odd_forms(body: str, expected: bytes | None) -> None:
    """Empty values, preambles, padding after the boundary, repeated fields (the first counts), cut forms."""
    assert expected == model_in(body.encode(), FORM)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "text/plain; boundary=b",
        "multipart/form-data; boundary*=utf-8''b",
        "multipart/form-data; boundary*=a; boundary*0=b",
        "multipart/form-data; boundary*" + "9" * 5000 + "=b",
        "multipart/form-data; boundary=other",
    ],
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    """A content type without a usable boundary, and a body without it, are the caller's mistake."""
    with pytest.raises(BadMultipartError):
        model_span(b"--b\r\n\r\nx\r\n--b--", content_type)


@given(body=st.binary(max_size=60), content_type=st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_bytes_raise_anything_else(body: bytes, content_type: str) -> None:
    """Whatever a client sends is understood, has no such field, or is refused in words."""
    for announced in (content_type, FORM + ";" + content_type, "multipart/form-data; boundary" + content_type):
        for sent in (
            body,
            b"--b" + body + b"\r\n--b--",
            b"--b\r\nContent-Disposition: " + body + b"\r\n\r\nx\r\n--b--",
        ):
            try:
                model_span(sent, announced)
            except BadMultipartError:
                continue


field_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda n: n != "model")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ['Content-Disposition: form-data; name="model"\r\n\r\nno', "\r\n--", "--b--", "\r\n\r\n"]
)
file_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12) | st.sampled_from(
    ["model", "x; name=model", 'x"; name="model', "模型.wav"]
)
forms = {
    "fields": st.dictionaries(field_names, texts, max_size=4),
    "file": st.none() | st.tuples(file_names, st.binary(max_size=60)),
    "model": st.none() | texts,
}


@given(**forms)
def test_forms_that_httpx_builds(fields: dict[str, str], file: tuple[str, bytes] | None, model: str | None) -> None:
    """The form of a real client (the official SDKs send theirs with it): the span is exactly the value."""
    data = fields | ({} if model is None else {"model": model})
    files = {"file": ("empty", b"") if file is None else file}
    request = httpx.Request("POST", "http://gateway.example/", data=data, files=files)
    found = model_in(request.read(), request.headers["content-type"])
    assert (None if model is None else model.encode()) == found


@given(**forms)
def test_forms_that_aiohttp_builds(fields: dict[str, str], file: tuple[str, bytes] | None, model: str | None) -> None:
    """Another library with other habits: a content type for each field, names quoted in its own way."""
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(quote(name), value)  # it takes no control characters, and names in ASCII only
    if file is not None:
        form.add_field("file", file[1], filename=file[0])
    if model is not None:
        form.add_field("model", model)
    form.add_field("last", "x")
    payload = form()
    found = model_in(asyncio.run(payload.as_bytes()), payload.headers["content-type"])
    assert (None if model is None else model.encode()) == found
