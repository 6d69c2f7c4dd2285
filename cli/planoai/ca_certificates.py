"""The file of CA certificates that providers are checked against."""

from collections.abc import Mapping
from pathlib import Path

import certifi

from planoai.errors import PlanoError

#: Debian and Arch; Fedora; Alpine and macOS; openSUSE.
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def find_ca_file(configured: str | None, environ: Mapping[str, str]) -> str:
    """`overrides.upstream_tls_ca_path`, else SSL_CERT_FILE, else the system's, else certifi's.

    Raises PlanoError when a file that somebody named is not there.
    """
    for source, named in (
        ("overrides.upstream_tls_ca_path", configured),
        ("SSL_CERT_FILE", environ.get("SSL_CERT_FILE")),
    ):
        if named:
            path = Path(named).expanduser()
            if not path.is_file():
                raise PlanoError(
                    f"{source} names {path}, and there is no such file", "Name a PEM file of CA certificates."
                )
            return str(path)
    return next((each for each in _SYSTEM_FILES if Path(each).is_file()), certifi.where())
