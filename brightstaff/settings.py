"""What brightstaff is told at start: one JSON document on standard input, written by planoai.

It carries the keys, so it exists in memory and in a pipe only: never in a file, an argument or the environment.
"""

from typing import Literal

import msgspec

AuthForm = Literal["bearer", "x-api-key", "api-key"]
Strategy = Literal["same_model", "same_provider", "different_provider"]


class StatusRule(msgspec.Struct, frozen=True):
    """One entry of `on_status_codes`: what to do about these statuses."""

    codes: tuple[tuple[int, int], ...]
    """Inclusive ranges of HTTP statuses; a single code is a range of one."""
    strategy: Strategy
    max_attempts: int
    """All attempts of the request, the first included."""

    def covers(self, status: int) -> bool:
        """Whether the rule names this status."""
        return any(low <= status <= high for low, high in self.codes)


class TimeoutRule(msgspec.Struct, frozen=True):
    """`on_timeout`: what to do when a channel does not answer in time."""

    strategy: Strategy
    max_attempts: int


class HighLatencyRule(msgspec.Struct, frozen=True):
    """`on_high_latency`: when a channel that answers, but slowly, is left out for a while."""

    threshold_s: float
    measure: Literal["ttfb", "total"] = "ttfb"
    min_triggers: int = 1
    window_s: float | None = None
    """Slow answers count together when they fall within it."""
    block_duration_s: float = 300.0


class RetryAfterHandling(msgspec.Struct, frozen=True):
    """What a provider's Retry-After means."""

    scope: Literal["model", "provider"] = "model"
    """What is left out until then: the channel, or every channel of its prefix."""
    apply_to: Literal["request", "global"] = "global"
    """For whom: the request that saw it, or all."""
    max_s: float = 300.0
    """A longer Retry-After counts as this."""


class Backoff(msgspec.Struct, frozen=True):
    """The wait before a retry; it doubles with each."""

    apply_to: Literal["same_model", "same_provider", "global"] = "same_model"
    base_s: float = 0.1
    max_s: float = 5.0
    jitter: bool = True


class RetrySettings(msgspec.Struct, frozen=True):
    """A channel's `retry_policy`."""

    fallback_models: tuple[str, ...] = ()
    """Names of channels, in the order in which they are tried."""
    fallback_scope: Literal["all_providers", "fallback_list_only"] = "all_providers"
    default_strategy: Strategy = "different_provider"
    default_max_attempts: int = 3
    on_status_codes: tuple[StatusRule, ...] = ()
    on_timeout: TimeoutRule | None = None
    max_retry_duration_s: float | None = None
    """For all retries together, from the first one on."""
    backoff: Backoff = Backoff()
    retry_after: RetryAfterHandling = RetryAfterHandling()
    on_high_latency: HighLatencyRule | None = None


class Channel(msgspec.Struct, frozen=True):
    """One entry of `model_providers`, ready for use. Its repr carries no secret."""

    name: str
    """`prefix/model`, or `prefix/*`."""
    prefix: str
    model: str
    """The bare model name; `*` for a wildcard."""
    interface: str
    cluster: str
    """The Envoy cluster to which an attempt on this channel goes."""
    authority: str
    """Host header, with the port where it is not the scheme's own."""
    path_prefix: str
    """What stands before the endpoint's own path, e.g. `/v1` before `/chat/completions`."""
    scheme: Literal["http", "https"] = "https"
    auth: AuthForm = "bearer"
    key: str | None = None
    key_name: str = ""
    """How messages call the key, e.g. `$CLAUDE_API_KEY`. Never the key itself."""
    headers: dict[str, str] = {}
    proxy: str | None = None
    """Host and port of the HTTP proxy on the way, for messages; Envoy knows it by itself."""
    passthrough_auth: bool = False
    default: bool = False
    retry: RetrySettings | None = None
    first_token_timeout_s: float | None = None
    idle_timeout_s: float = 600.0

    @property
    def is_wildcard(self) -> bool:
        """Whether the channel serves every model of its prefix."""
        return self.model == "*"

    def __repr__(self) -> str:
        return f"Channel({self.name!r}, key={self.key_name or None!r})"


class RouteSettings(msgspec.Struct, frozen=True):
    """One entry of `routing_preferences`."""

    name: str
    description: str
    models: tuple[str, ...]
    """Names of channels, the preferred one first."""
    examples: tuple[str, ...] = ()
    fastest: bool = False
    """Whether the model that answers soonest comes first."""


class RedisSettings(msgspec.Struct, frozen=True):
    """Where several gateways remember conversations together. Its repr carries no secret."""

    url: str
    """redis:// or rediss://; may hold a password."""
    key_prefix: str = "plano:affinity:"
    timeout_s: float = 0.05
    """A request waits no longer than this to learn where its conversation has been."""
    ca_file: str = ""
    """Certificates against which rediss:// is checked; empty: those of the system."""

    def __repr__(self) -> str:
        return f"RedisSettings(key_prefix={self.key_prefix!r})"


class RoutingSettings(msgspec.Struct, frozen=True):
    """How requests are routed by intent."""

    routes: tuple[RouteSettings, ...] = ()
    socket: str = ""
    """Of the router process; empty: none runs."""
    apply_to: Literal["all", "auto"] = "all"
    min_confidence: float = 0.2
    """Below it no route fits."""
    downgrade_limit: float = 0.3
    """The greatest probability that a stronger model is needed at which a weaker one is taken."""
    switch_margin: float = 0.25
    """So much surer of another route must the router be before a conversation changes; half for a stronger model."""
    timeout_s: float = 2.5
    strengths: dict[str, float] = {}
    """Channel → how capable its model is, 1 (small) to 3 (the strongest)."""
    costs: dict[str, float] = {}
    """Channel → price of its model; any unit."""
    session_ttl_s: float = 3600.0
    session_max_entries: int = 10_000
    session_file: str = ""
    """Where conversations are kept for several workers; empty: in memory."""
    session_redis: RedisSettings | None = None
    """Where they are kept for several machines, beside what this one keeps."""
    tenant_header: str = ""
    """Requests with different values of this header never share a conversation; empty: there is no such header."""

    @property
    def backend_is_on(self) -> bool:
        """Whether there is a router to ask."""
        return bool(self.socket)

    def strength_of(self, model: str) -> float:
        """How capable a channel's model is; middling where nothing is known."""
        return self.strengths.get(model, 2.0)

    def cost_of(self, model: str) -> float:
        """For comparisons; without a price, by strength."""
        return self.costs.get(model, self.strength_of(model))


class Settings(msgspec.Struct, frozen=True):
    """The whole hand-over."""

    socket: str
    """Path of the Unix socket that Envoy connects to."""
    log_file: str
    """brightstaff.log; rotated from outside by renaming."""
    channels: tuple[Channel, ...]
    aliases: dict[str, str] = {}
    """Alias → channel name."""
    ledger_file: str = ""
    """Where cool-downs and counts are kept, for all workers and over restarts; empty: in memory only."""
    decision_file: str = ""
    """Log of decisions, for `planoai explain`; empty: none. Rotated from outside by renaming."""
    max_request_bytes: int = 64 * 1024 * 1024
    max_attempts: int = 32
    """No request is sent more often than this; Envoy's own `num_retries` lies above it."""
    local_header: str = "x-plano-local"
    """Name of the header in which `egress` describes failures of its own; no provider can guess how it ends."""
    routing: RoutingSettings | None = None
    """None: every request goes to the model that it names."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins, beside those of this machine, whose pages may use the gateway."""
    log_level: str = "info"

    def __repr__(self) -> str:
        return f"Settings(channels={len(self.channels)})"


def decode_settings(document: bytes) -> Settings:
    """Read the hand-over.

    Raises msgspec.ValidationError or msgspec.DecodeError (messages name fields, never keys).
    """
    return msgspec.json.decode(document, type=Settings)


def encode_settings(settings: Settings) -> bytes:
    """Write the hand-over."""
    return msgspec.json.encode(settings)
