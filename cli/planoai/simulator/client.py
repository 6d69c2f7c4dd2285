"""A client of the control surface, for a simulator that runs in another process."""

import http.client
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from planoai.simulator.recorder import RecordedRequest, recorded_from
from planoai.simulator.rules import Rule, rules_as_data, rules_from


class SimulatorClient:
    """Asks and tells a simulator at `url` (http, without a path). Each call raises OSError when it does not answer."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url}: the address of a simulator begins with http:// and names a host")
        self.url = url.rstrip("/")
        self._host = parts.hostname
        self._port = parts.port or 80
        self._timeout_s = timeout_s

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._call("GET", "health") == {"status": "ok"})
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def requests(self, since: int = 0) -> list[RecordedRequest]:
        """The requests it has kept whose number is above `since`."""
        return self._records(self._call("GET", f"requests?since={since}"))

    def wait_for_requests(self, count: int, *, since: int = 0, timeout_s: float = 5.0) -> list[RecordedRequest]:
        """The requests above number `since`, once `count` of them have ended. Raises TimeoutError."""
        path = f"requests?since={since}&count={count}&timeout_s={timeout_s}"
        found = self._records(self._call("GET", path, timeout_s + self._timeout_s))
        if sum(each.finished for each in found) < count:
            raise TimeoutError(f"{self.url} had {len(found)} of {count} requests after {timeout_s:g} s")
        return found

    def clear(self) -> None:
        """Make it forget requests and counts."""
        self._call("DELETE", "requests")

    def rules(self) -> list[Rule]:
        """Its rules."""
        return rules_from(self._call("GET", "rules"))

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace its rules. Raises ValueError when it refuses them."""
        self._call("PUT", "rules", body=json.dumps(rules_as_data(rules)).encode())

    def stats(self) -> dict[str, Any]:
        """Its counts."""
        data: dict[str, Any] = self._call("GET", "stats")
        return data

    def _records(self, data: Any) -> list[RecordedRequest]:
        return [recorded_from(each) for each in data["requests"]]

    def _call(self, method: str, path: str, timeout_s: float | None = None, body: bytes | None = None) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s or self._timeout_s)
        try:
            connection.request(method, f"/_sim/{path}", body)
            response = connection.getresponse()
            data = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(data["error"]["message"])
        return data
