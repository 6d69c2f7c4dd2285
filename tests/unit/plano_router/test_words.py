"""plano_router.words: what words mean."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_router.words import WordVectors, pack, unpack
from small_library import some_words


@pytest.fixture(scope="module")
def words() -> WordVectors:
    """The table of the package."""
    return WordVectors.load()


def test_words_are_found() -> None:
    """In any case, plural, among others, with full-width letters; what is unknown is passed over."""
    words = some_words()
    bake, cake = words.index["bake"], words.index["cake"]
    assert [bake, cake, cake, bake] == words.rows("Bake: (cake) zzz CAKES! bake")
    assert [] == words.rows("zzz 12 !")


def test_languages_without_spaces() -> None:
    """By the longest match."""
    index = {"数": 0, "数据": 1, "数据库": 2, "慢": 3}
    words = WordVectors(index, np.ones((4, 2), np.int8), np.ones(4, np.float32))
    assert [2, 3, 1, 0] == words.rows("数据库很慢,数据。数")


def test_meaning() -> None:
    """Of length 1; what was said before counts half; of nothing there is none."""
    words = some_words()
    assert 1 == pytest.approx(float(np.linalg.norm(words.meaning("bake a cake"))))
    assert not words.meaning("zzz").any()
    kitchen, travel = words.meaning("bake"), words.meaning("hotel")
    both = words.meaning("bake", "hotel")
    assert both @ kitchen > both @ travel > 0


@given(st.text(), st.text(max_size=20))
def test_any_text(text: str, context: str) -> None:
    """Has a meaning of length 1 or 0."""
    length = float(np.linalg.norm(some_words().meaning(text, context)))
    assert length == 0 or length == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("near", "nearer", "far"),
    [
        ("refund", "money back", "kubernetes"),
        ("数据库", "database", "cooking"),
        ("médecin", "doctor", "code"),
        ("flight", "机票", "编程"),
    ],
)
def test_near_in_meaning(words: WordVectors, near: str, nearer: str, far: str) -> None:
    """Across languages."""
    meaning = words.meaning(near)
    assert meaning @ words.meaning(nearer) > meaning @ words.meaning(far) + 0.1


def test_the_table_of_the_package(words: WordVectors) -> None:
    """As many vectors as words; none of them empty."""
    assert len(words.index) == len(words.vectors) == len(words.scales)
    assert 128 == words.dimensions
    assert (words.scales > 0).all()


def test_packing() -> None:
    """Four bits a number, and back."""
    vectors = np.arange(-7, 8, dtype=np.int8)[:14].reshape(2, 7).repeat(2, axis=1)
    assert vectors.tolist() == unpack(pack(vectors)).tolist()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Is an error."""
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"pickled|magic|load"):
        WordVectors.load(path)
