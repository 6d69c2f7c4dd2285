"""plano_router.llama_trie: answers as a tree of tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_router.llama_trie import ROOT, Node, Trie, shares


def test_what_answers_have_in_common_is_evaluated_once() -> None:
    """Their common beginning stands before the tree; a last token is only read off what precedes it."""
    trie = Trie.build([(1, 2, 3, 4, 9), (1, 2, 3, 5, 9), (1, 2, 6, 9)])
    assert (1, 2) == trie.shared
    assert (
        Node(3, ROOT, 0, (0, 1)),
        Node(6, ROOT, 0, (2,)),
        Node(4, 0, 1, (0,)),
        Node(5, 0, 1, (1,)),
    ) == trie.nodes
    assert ((ROOT, 3), (0, 4), (2, 9)) == trie.steps[0]
    assert {ROOT: [3, 6], 0: [4, 5], 1: [9], 2: [9], 3: [9]} == trie.wanted()


def test_one_answer_is_certain() -> None:
    """All of it is common: nothing is left to be scored."""
    trie = Trie.build([(1, 2)])
    assert ((1, 2), (), [0]) == (trie.shared, trie.nodes, trie.sums(lambda _node, _token: math.nan))


def test_answers_that_are_the_same() -> None:
    """Each has its place, with the same score."""
    trie = Trie.build([(1, 2), (1, 2), (1, 3)])
    assert [-1, -1, -2] == trie.sums(lambda _, token: 1.0 - token)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6).map(tuple), min_size=1, max_size=8, unique=True))
def test_the_tree_has_every_answer(answers: list[tuple[int, ...]]) -> None:
    """From the root to its end each answer's tokens are met, through nodes that know of it; parents come first."""
    closed = [(*answer, 9) for answer in answers]
    trie = Trie.build(closed)
    for number, answer in enumerate(closed):
        assert answer == (*trie.shared, *(token for _, token in trie.steps[number]))
        path = [node for node, _ in trie.steps[number]]
        assert all(number in trie.nodes[node].answers for node in path if node != ROOT)
    for index, node in enumerate(trie.nodes):
        assert node.parent < index
        assert node.depth == (0 if node.parent == ROOT else trie.nodes[node.parent].depth + 1)


def test_shares() -> None:
    """Probabilities by the ratios of the answers', however small these are."""
    assert pytest.approx([0.25, 0.75]) == shares([-1000.0 + math.log(1), -1000.0 + math.log(3)])
