"""What all attempts of one brightstaff share."""

from brightstaff.catalog import Catalog
from brightstaff.errors import APIError
from brightstaff.exchange import Exchanges
from brightstaff.origins import OriginPolicy
from brightstaff.settings import Settings


class Gateway:
    """The configured channels, the limits, and the requests that are under way."""

    def __init__(self, settings: Settings) -> None:
        self.catalog = Catalog(settings.channels, settings.aliases)
        self.exchanges = Exchanges()
        self.origins = OriginPolicy(settings.allowed_origins)
        self.max_request_bytes = settings.max_request_bytes
        self.max_attempts = settings.max_attempts
        self.local_header = settings.local_header
        """On answers that `egress` made itself. No provider knows its name."""

    def too_large(self) -> APIError:
        """The error for a body over the limit."""
        return APIError(
            413,
            "request_too_large",
            f"The request body is larger than the limit of {self.max_request_bytes} bytes. "
            "Send less, or raise overrides.max_request_bytes in config.yaml.",
        )
