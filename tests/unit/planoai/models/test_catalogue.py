"""planoai.models.catalogue: what a user may name, and where it is downloaded from."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from planoai.errors import EXIT_USAGE, PlanoError
from planoai.models.catalogue import CATALOGUE, HUB, find_source, read_pins

PINS = read_pins((Path(__file__).parents[4] / "checksums.sha256").read_text("utf-8"))
DIGEST = "0123456789abcdef" * 4


def test_free_models_come_first_and_are_pinned() -> None:
    """Who takes the first one of the list can use it for everything, and gets the file that was meant."""
    restricted = [bool(each.licence.restriction) for each in CATALOGUE]
    assert sorted(restricted) == restricted
    for each in CATALOGUE:
        source = find_source(each.name, PINS)
        assert urlsplit(source.url).path.endswith(each.path.rpartition("/")[2])
        if not each.licence.restriction:
            assert (64, each.size) == (len(source.sha256 or ""), source.size)


def test_every_pin_is_of_a_model() -> None:
    """And none is left over from one that went."""
    assert set(PINS) == {each.path.rpartition("/")[2] for each in CATALOGUE if not each.licence.restriction}


def test_a_name() -> None:
    """In any case, from the hub or a mirror of it, with or without a slash at its end."""
    url = find_source("Qwen2.5-0.5B-Instruct", PINS).url
    assert url.startswith("https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/9217f5db")
    for mirror in ("https://hf-mirror.com", "https://hf-mirror.com/"):
        assert url.replace(HUB, "https://hf-mirror.com") == find_source("qwen2.5-0.5b-instruct", PINS, mirror).url
    assert url == find_source("qwen2.5-0.5b-instruct", PINS, "").url


def test_a_file_on_the_hub() -> None:
    """Owner, repository and file; pinned where it is one of the catalogue."""
    source = find_source("Me/My Models/sub/My Model.Q4.gguf", PINS)
    assert "https://huggingface.co/Me/My%20Models/resolve/main/sub/My%20Model.Q4.gguf" == source.url
    assert ("my-model.q4", None, None) == (source.name, source.sha256, source.licence)
    known = find_source("other/repo/Qwen3-1.7B-Q4_K_M.gguf", PINS)
    assert PINS["Qwen3-1.7B-Q4_K_M.gguf"] == known.sha256


@pytest.mark.parametrize(
    ("url", "asked", "name"),
    [
        ("https://a.example/M.gguf?download=true", "https://a.example/M.gguf?download=true", "m"),
        ("https://huggingface.co/o/r/blob/main/m.gguf", "https://huggingface.co/o/r/resolve/main/m.gguf", "m"),
        ("http://127.0.0.1:8000/m.gguf", "http://127.0.0.1:8000/m.gguf", "m"),
        ("https://a.example/%2e%2e%2fevil.gguf", "https://a.example/%2e%2e%2fevil.gguf", "evil"),
        ("https://a.example/.gguf", "https://a.example/.gguf", "model"),
    ],
)
def test_a_url(url: str, asked: str, name: str) -> None:
    """As it is, but a page about a file becomes the file; the name cannot lead out of the folder."""
    source = find_source(url, PINS)
    assert (asked, name, None) == (source.url, source.name, source.sha256)


def test_the_users_checksum_counts() -> None:
    """Before the pin, and with plain HTTP."""
    assert DIGEST == find_source("qwen3-1.7b", PINS, sha256=DIGEST.upper()).sha256
    assert DIGEST == find_source("http://a.example/m.gguf", PINS, sha256=DIGEST).sha256


@pytest.mark.parametrize(
    ("named", "sha256", "told"),
    [
        ("llama-9", None, "no model 'llama-9'"),
        ("owner/file.gguf", None, "no model"),
        ("ftp://a.example/m.gguf", None, "only https"),
        ("https:///m.gguf", None, "only https"),
        ("http://a.example/m.gguf", None, "without TLS"),
        ("https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF", None, r"does not name a \.gguf file"),
        ("qwen3-1.7b", "12", "64 hexadecimal digits"),
    ],
)
def test_what_cannot_be_downloaded(named: str, sha256: str | None, told: str) -> None:
    """Is refused before anything is asked of anybody."""
    with pytest.raises(PlanoError, match=told) as caught:
        find_source(named, PINS, sha256=sha256)
    assert EXIT_USAGE == caught.value.exit_code


def test_pins_are_read_as_sha256sum_writes_them() -> None:
    """Text and binary mode; comments are passed over."""
    text = f"# comment\n{DIGEST}  a.gguf\n{DIGEST} *b c.gguf\n\nnonsense\n"
    assert {"a.gguf": DIGEST, "b c.gguf": DIGEST} == read_pins(text)


def test_secrets_of_a_url_are_not_shown() -> None:
    """Neither in messages nor in the note beside the file."""
    source = find_source("https://me:hunter2@a.example/m.gguf?signature=s3cret", PINS)
    assert "https://me:hunter2@a.example/m.gguf?signature=s3cret" == source.url
    assert "https://a.example/m.gguf" == source.shown_url
    with pytest.raises(PlanoError) as caught:
        find_source("https://me:hunter2@a.example/m.bin?signature=s3cret", PINS)
    assert "hunter2" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
