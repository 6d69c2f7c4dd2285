"""brightstaff.catalog: from the model that a client names to the channel that serves it."""

from collections.abc import Callable

import pytest

from brightstaff.catalog import Catalog, Target, UnknownModelError
from brightstaff.settings import Channel

NewChannel = Callable[..., Channel]


@pytest.fixture
def catalog(new_channel: NewChannel) -> Catalog:
    """Two prefixes with the same bare model, one wildcard, aliases of every kind, no default."""
    return Catalog(
        [
            new_channel("aws/opus"),
            new_channel("official/opus"),
            new_channel("official/org/deep/name"),
            new_channel("open/*"),
            new_channel("open/pinned"),
        ],
        {
            "best": "official/opus",
            "bare": "opus",
            "wild": "open/anything",
            "opus-alias": "aws/opus",
            "org/deep/name": "aws/opus",
            "open/shadow": "official/opus",
            "aws/opus": "official/opus",
        },
    )


@pytest.mark.parametrize(
    ("asked", "channel", "model"),
    [
        ("aws/opus", "aws/opus", "opus"),
        ("official/opus", "official/opus", "opus"),
        ("official/org/deep/name", "official/org/deep/name", "org/deep/name"),
        ("opus", "aws/opus", "opus"),
        ("best", "official/opus", "opus"),
        ("bare", "aws/opus", "opus"),
        ("wild", "open/*", "anything"),
        ("open/any/thing", "open/*", "any/thing"),
        ("open/pinned", "open/pinned", "pinned"),
        ("pinned", "open/pinned", "pinned"),
    ],
)
def test_names_lead_to_channels(catalog: Catalog, asked: str, channel: str, model: str) -> None:
    """Exact names, aliases of any kind of name, wildcards, and bare names: the first channel that declares it."""
    target = catalog.resolve(asked)
    assert (channel, model) == (target.channel.name, target.model)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("aws/opus", "aws/opus"), ("org/deep/name", "aws/opus"), ("open/shadow", "official/opus")],
)
def test_order_of_the_look_up(catalog: Catalog, asked: str, expected: str) -> None:
    """An exact name goes before an alias, and an alias before wildcards and bare names."""
    assert expected == catalog.resolve(asked).name


@pytest.mark.parametrize("asked", ["", "/", "unknown", "aws/unknown", "open/", "/opus", "AWS/opus", "aws", "*", None])
def test_unknown_names_are_an_error_without_default(catalog: Catalog, asked: str | None) -> None:
    """Nothing is guessed; the error carries what was asked for."""
    with pytest.raises(UnknownModelError) as caught:
        catalog.resolve(asked)
    assert (asked,) == caught.value.args


@pytest.mark.parametrize("asked", ["unknown", "two/unknown", None])
def test_unknown_names_go_to_the_default(new_channel: NewChannel, asked: str | None) -> None:
    """The default channel is asked for its own model."""
    catalog = Catalog([new_channel("one/m"), new_channel("two/n", default=True)], {})
    assert ("two/n", "n") == (catalog.resolve(asked).name, catalog.resolve(asked).model)


def test_known_names_do_not_go_to_the_default(new_channel: NewChannel) -> None:
    """A default takes only what nobody else does."""
    catalog = Catalog([new_channel("one/m"), new_channel("two/n", default=True)], {})
    assert "one/m" == catalog.resolve("one/m").name


def test_a_target_names_the_model_of_a_wildcard(new_channel: NewChannel) -> None:
    """The trail says which model it was, not `*`."""
    assert ["open/x/y", "one/m"] == [
        Target(new_channel("open/*"), "x/y").name,
        Target(new_channel("one/m"), "m").name,
    ]


def test_names_are_channels_then_aliases(catalog: Catalog) -> None:
    """The list is in the order of the configuration, and an alias that hides behind a channel is not listed twice."""
    expected = ["aws/opus", "official/opus", "official/org/deep/name", "open/*", "open/pinned"]
    assert [*expected, "best", "bare", "wild", "opus-alias", "org/deep/name", "open/shadow"] == catalog.names()


def test_every_listed_name_has_an_owner(catalog: Catalog) -> None:
    """What is listed can be looked up, wildcards and aliases included; what is not configured cannot."""
    assert ["aws", "official", "official", "open", "open"] == [catalog.owner(name) for name in catalog.names()[:5]]
    assert "official" == catalog.owner("best")
    assert catalog.owner("unknown") is None
    assert None not in [catalog.owner(name) for name in catalog.names()]


def test_a_dangling_alias_is_unknown(new_channel: NewChannel) -> None:
    """An alias without its channel finds nothing (planoai refuses such a configuration)."""
    assert Catalog([new_channel("one/m")], {"gone": "two/m"}).find("gone") is None


def test_no_key_in_a_repr(catalog: Catalog) -> None:
    """A target that reaches a log carries the name of its key only."""
    assert "secret" not in repr(catalog.resolve("aws/opus"))
