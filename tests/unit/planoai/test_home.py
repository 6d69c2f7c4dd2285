"""Where files are, and that nobody else reads them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome

#: Belongs to somebody else, whoever runs the tests.
SOMEBODY = 54321


@pytest.fixture
def far(tmp_path: Path) -> Iterator[PlanoHome]:
    """A home whose path is too long for sockets."""
    home = PlanoHome(tmp_path / ("x" * 90))
    yield home
    if home.sockets.is_symlink():
        home.sockets.unlink()
    elif home.sockets.exists():
        home.sockets.rmdir()


def test_plano_home(tmp_path: Path) -> None:
    """PLANO_HOME as it is, made absolute."""
    assert tmp_path == PlanoHome.from_environment({"PLANO_HOME": str(tmp_path)}).root
    assert Path.cwd() / "some" / "where" == PlanoHome.from_environment({"PLANO_HOME": "some/where"}).root
    assert Path.home() / "plano" == PlanoHome.from_environment({"PLANO_HOME": "~/plano"}).root


@pytest.mark.parametrize("environ", [{}, {"PLANO_HOME": ""}])
def test_the_default(environ: dict[str, str]) -> None:
    """~/.plano."""
    assert Path.home() / ".plano" == PlanoHome.from_environment(environ).root


def test_the_tree() -> None:
    """Names that users and documentation rely on."""
    home = PlanoHome(Path("/h"))

    assert [Path("/h/bin"), Path("/h/run"), Path("/h/run/logs")] == [home.bin, home.run, home.logs]
    assert [Path("/h/run/channels.sqlite"), Path("/h/run/logs/decisions.jsonl")] == [home.ledger, home.decisions]


@pytest.mark.parametrize("length", [1, 60, 78, 79, 200])
def test_sockets_fit(length: int) -> None:
    """Among the other files of `run`, elsewhere when `sun_path` could not hold them."""
    home = PlanoHome(Path("/") / ("h" * length))
    longest = os.fsencode(home.sockets / "brightstaff-00.sock")

    assert len(longest) <= 103
    assert (length <= 78) == (home.sockets == home.run)


def test_bytes_are_counted_and_not_characters() -> None:
    """A Chinese character takes three."""
    home = PlanoHome(Path("/") / ("家" * 40))

    assert home.sockets != home.run


def test_short_socket_directories_are_private_and_each_homes_own() -> None:
    """Named after the user and the home: two homes never share one, and one home always finds its own."""
    one, two = PlanoHome(Path("/one" + "x" * 100)), PlanoHome(Path("/two" + "x" * 100))

    assert one.sockets.parent == Path(tempfile.gettempdir())
    assert str(os.getuid()) in one.sockets.name
    assert one.sockets != two.sockets
    assert one.sockets == PlanoHome(one.root).sockets


def test_created_for_the_owner_only(tmp_path: Path, far: PlanoHome) -> None:
    """0700, also when a directory was there with another mode; twice does no harm."""
    near = PlanoHome(tmp_path / "home")
    near.run.mkdir(parents=True)
    near.run.chmod(0o755)
    for home in (near, far):
        home.create()
        home.create()
        assert [0o700] * 3 == [path.stat().st_mode & 0o777 for path in (home.run, home.logs, home.sockets)]


def test_a_directory_of_somebody_else(far: PlanoHome) -> None:
    """Somebody who made the socket directory first could read what goes through it."""
    if os.getuid() == 0:
        far.sockets.mkdir()
        os.chown(far.sockets, SOMEBODY, SOMEBODY)
    else:
        far.sockets.symlink_to("/usr")
    with pytest.raises(PlanoError, match=f"{far.sockets} belongs to another user") as caught:
        far.create()

    assert "PLANO_HOME" in caught.value.remedy


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a link to somebody else")
def test_a_link_of_somebody_else(tmp_path: Path, far: PlanoHome) -> None:
    """Also when it leads to a directory of our own."""
    far.sockets.symlink_to(tmp_path)
    os.chown(far.sockets, SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(PlanoError, match="belongs to another user"):
        far.create()


def test_our_own_link(tmp_path: Path) -> None:
    """Who keeps `run` on another disk may."""
    home = PlanoHome(tmp_path / "home")
    home.root.mkdir()
    (tmp_path / "disk").mkdir()
    home.run.symlink_to(tmp_path / "disk")
    home.create()

    assert (tmp_path / "disk" / "logs").is_dir()
