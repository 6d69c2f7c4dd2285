"""Which file of CA certificates is used."""

from pathlib import Path

import pytest

from planoai.ca_certificates import find_ca_file
from planoai.errors import PlanoError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The file of config.yaml."""
    path = tmp_path / "own.pem"
    path.touch()
    return path


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """The file of the environment."""
    path = tmp_path / "environments.pem"
    path.touch()
    return path


def test_the_order(own: Path, environments: Path) -> None:
    """overrides.upstream_tls_ca_path, then SSL_CERT_FILE."""
    environ = {"SSL_CERT_FILE": str(environments)}

    assert str(own) == find_ca_file(str(own), environ)
    assert str(environments) == find_ca_file(None, environ)


@pytest.mark.parametrize("environ", [{}, {"SSL_CERT_FILE": ""}])
def test_nobody_named_one(environ: dict[str, str]) -> None:
    """The system's or certifi's: there is always one, and it is a file of certificates."""
    found = Path(find_ca_file(None, environ))

    assert found.is_absolute()
    assert "-----BEGIN CERTIFICATE-----" in found.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("name", ["none.pem", ""], ids=["missing", "directory"])
def test_a_named_file_that_is_not_there(tmp_path: Path, environments: Path, name: str) -> None:
    """Who named it and what; another file is never taken instead."""
    path = str(tmp_path / name)
    with pytest.raises(PlanoError, match=rf"overrides\.upstream_tls_ca_path names {path}, and there is no such file"):
        find_ca_file(path, {"SSL_CERT_FILE": str(environments)})
    with pytest.raises(PlanoError, match=rf"SSL_CERT_FILE names {path}") as caught:
        find_ca_file(None, {"SSL_CERT_FILE": path})

    assert "PEM" in caught.value.remedy


def test_a_home_directory_is_expanded() -> None:
    """`~` as in a shell."""
    with pytest.raises(PlanoError, match=str(Path.home() / "none" / "such.pem")):
        find_ca_file("~/none/such.pem", {})
