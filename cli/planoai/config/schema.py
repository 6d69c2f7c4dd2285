"""The schema of config.yaml: the one source of validation, of the JSON Schema for editors, and of docs/config.md.

Attribute names are the YAML keys. Rules that concern one value stand here; rules between values stand in `checks.py`.
Descriptions are documentation: they are printed in the reference and shown by editors.
"""

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

#: Versions of the file format that can be read. Older ones than the last are migrated in memory.
ACCEPTED_VERSIONS = ("v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.2.0", "v0.3.0", "v0.4.0")
CURRENT_VERSION = ACCEPTED_VERSIONS[-1]

#: The listener that exists when config.yaml names none, and its port.
DEFAULT_LISTENER_NAME = "egress_traffic"
DEFAULT_PORT = 12000

#: Largest request body unless `overrides.max_request_bytes` says otherwise.
DEFAULT_MAX_REQUEST_BYTES = 64 * 1024 * 1024

Strategy = Literal["same_model", "same_provider", "different_provider"]

ProviderInterface = Literal[
    "openai",
    "openai_responses",
    "anthropic",
    "deepseek",
    "groq",
    "mistral",
    "xiaomi",
    "gemini",
    "together_ai",
    "xai",
    "moonshotai",
    "zhipu",
    "chatgpt",
    "digitalocean",
    "vercel",
    "openrouter",
    "edenai",
    "perplexity",
    "azure_openai",
    "amazon_bedrock",
    "qwen",
    "ollama",
    "plano",
]


@dataclass(frozen=True)
class NoEffect:
    """Marks a key that is read for the sake of existing files and changes nothing; `hint` says what to use instead."""

    hint: str = "Remove it, or leave it for the sake of other programs that read this file."


def config_value_error(message: str, remedy: str) -> PydanticCustomError:
    """An error about one value, with its remedy; `validation.py` turns it into a problem with a line."""
    return PydanticCustomError("config_value", "{text}", {"text": message, "remedy": remedy})


# --- Kinds of values -------------------------------------------------------------------------------------------------

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*")
_SECONDS_PER_UNIT = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|[KMG]i?B?)?\s*", re.IGNORECASE)
_BYTES_PER_UNIT = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}


def parse_duration(value: object) -> float:
    """Seconds from a number of seconds or a text such as `30s`, `500ms`, `2m`, `1h`."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        # Rounded so that 500 ms are 0.5 s and not 0.5000000000000001 s.
        seconds = round(float(match[1]) * _SECONDS_PER_UNIT[match[2]], 9)
    if not (math.isfinite(seconds) and seconds > 0):
        raise config_value_error(
            "is not a duration longer than zero",
            "Write a number of seconds, or a number with a unit: 30s, 500ms, 2m, 1h.",
        )
    return seconds


def parse_size(value: object) -> int:
    """Bytes from a number of bytes or a text such as `64MiB` (1024-based) or `64MB` (1000-based)."""
    size_bytes = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size_bytes = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        size_bytes = int(float(match[1]) * _BYTES_PER_UNIT[(match[2] or "").lower().removesuffix("b")])
    if size_bytes <= 0:
        raise config_value_error(
            "is not a size greater than zero", "Write a number of bytes, or a number with a unit: 64MiB, 10MB."
        )
    return size_bytes


class CodeRange(NamedTuple):
    """HTTP status codes from `low` to `high`, both included."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def parse_codes(value: object) -> CodeRange:
    """A `CodeRange` from a status code (429) or a range of them ("502-504")."""
    if isinstance(value, CodeRange):
        return value
    low = high = 0
    if isinstance(value, int) and not isinstance(value, bool):
        low = high = value
    elif isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", value)):
        low, high = int(match[1]), int(match[2] or match[1])
    if not (100 <= low <= 599 and 100 <= high <= 599):
        raise config_value_error(
            "is neither an HTTP status code nor a range of them",
            'Write a code from 100 to 599, or a range in quotes: 429, "502-504".',
        )
    if low > high:
        raise config_value_error("is a range that ends before it begins", f'Write "{high}-{low}".')
    return CodeRange(low, high)


def _checked_model(value: str) -> str:
    prefix, slash, model = value.partition("/")
    remedy = (
        "Write prefix/model, for example openai/gpt-5.4; the prefix names the channel and is removed before sending."
    )
    if not slash:
        raise config_value_error("has no prefix", remedy)
    if not prefix or not model:
        raise config_value_error("is not complete", remedy)
    if any(character.isspace() or not character.isprintable() for character in value):
        raise config_value_error("contains a space or a control character", remedy)
    if "*" in prefix or ("*" in model and model != "*"):
        raise config_value_error(
            "uses * in a way that is not known",
            f"A wildcard stands for every model of a prefix: {prefix.strip('*') or 'openai'}/*.",
        )
    return value


def _checked_name(value: str) -> str:
    if not value.strip() or value != value.strip() or not value.isprintable():
        raise config_value_error(
            "is empty, begins or ends with a space, or contains a control character", "Write a short name on one line."
        )
    return value


def _checked_prose(value: str) -> str:
    if not value.strip():
        raise config_value_error("is empty", "Describe in a sentence or two which requests belong here.")
    # A folded scalar (`>`) ends in a newline that is no part of the text.
    return value.strip()


def _checked_address(value: str) -> str:
    text = value.strip().removeprefix("[").removesuffix("]")
    if text.lower() == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise config_value_error(
            "is not an IP address",
            "Write 127.0.0.1 (this machine only), 0.0.0.0 (every interface), ::1, or an address of this machine.",
        ) from None


def _checked_listener_type(value: object) -> object:
    if value in ("prompt", "agent"):
        raise config_value_error(
            "is a kind of listener that Plano does not have: it is a gateway for models",
            "Write `type: model`, or remove this listener.",
        )
    return value


def _checked_proxy(value: str) -> str:
    return "direct" if value.strip().lower() in ("direct", "none") else value.strip()


def _plain_backoff_scope(value: object) -> object:
    return "global" if value == "all_retries" else value


def _discard(_value: object) -> None:
    return None


_DURATION_SCHEMA: dict[str, Any] = {
    "$comment": "duration",
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"},
    ],
}
_SIZE_SCHEMA: dict[str, Any] = {
    "$comment": "size",
    "anyOf": [
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([Bb]|[KMGkmg][Ii]?[Bb]?)?\s*$"},
    ],
}
_CODES_SCHEMA: dict[str, Any] = {
    "$comment": "status code or range",
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^\s*[1-5]\d\d\s*(-\s*[1-5]\d\d\s*)?$"},
    ],
}

#: A time span in seconds; written as a number of seconds or with a unit.
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
#: A size in bytes; written as a number of bytes or with a unit.
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_SIZE_SCHEMA)]
Codes = Annotated[CodeRange, PlainValidator(parse_codes), WithJsonSchema(_CODES_SCHEMA)]
ModelName = Annotated[str, AfterValidator(_checked_model)]
Name = Annotated[str, AfterValidator(_checked_name)]
Prose = Annotated[str, AfterValidator(_checked_prose)]
PositiveInt = Annotated[StrictInt, Field(ge=1)]
#: Values that are accepted whatever they are, and not kept: they may hold secrets of other programs.
_Discarded = Annotated[None, PlainValidator(_discard), WithJsonSchema({})]
#: A key of upstream's that changes nothing here.
Ignored = Annotated[_Discarded, NoEffect()]


class _Object(BaseModel):
    """What all objects of the schema share: unknown keys are mistakes, values do not change, errors show no input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# --- retry_policy ----------------------------------------------------------------------------------------------------


class StatusCodeRule(_Object):
    """What to do after an answer with one of these status codes."""

    codes: Annotated[tuple[Codes, ...], Field(min_length=1)] = Field(
        description='HTTP status codes, as numbers and as ranges: `[429, "500-504"]`. '
        "When two rules name the same code, the first one counts.",
        examples=[[401, 429, 503], [429, "500-504"]],
    )
    strategy: Strategy | None = Field(
        default=None, description="What the next channel must be. Without it: `default_strategy` of the policy."
    )
    max_attempts: PositiveInt | None = Field(
        default=None,
        description="Most attempts for these codes, the first request included. "
        "Without it: `default_max_attempts` of the policy.",
        examples=[3],
    )

    def matches(self, status: int) -> bool:
        """True when this rule is about that HTTP status."""
        return any(low <= status <= high for low, high in self.codes)


class TimeoutRule(_Object):
    """What to do when a channel does not answer in time."""

    strategy: Strategy | None = Field(
        default=None, description="What the next channel must be. Without it: `default_strategy` of the policy."
    )
    max_attempts: PositiveInt | None = Field(
        default=None,
        description="Most attempts after timeouts, the first request included. "
        "Without it: `default_max_attempts` of the policy.",
    )


class HighLatencyRule(_Object):
    """When a channel that answers, but slowly, is left out for a while. The slow answer itself is still delivered."""

    threshold_ms: PositiveInt = Field(
        description="An answer slower than this is a slow answer, in milliseconds.", examples=[5000]
    )
    measure: Literal["ttfb", "total"] = Field(
        default="ttfb",
        description="What is measured: `ttfb`, the time to the first byte, or `total`, the whole answer.",
    )
    min_triggers: PositiveInt = Field(
        default=1, description="How many slow answers it takes before the channel is left out."
    )
    trigger_window_seconds: PositiveInt | None = Field(
        default=None,
        description="Slow answers count together when they fall within this many seconds. "
        "Needed when `min_triggers` is above 1.",
        examples=[60],
    )
    block_duration_seconds: PositiveInt = Field(
        default=300, description="How long the channel is left out, in seconds."
    )


class Backoff(_Object):
    """How long to wait before a retry. The wait doubles with each retry, from `base_ms` up to `max_ms`."""

    apply_to: Annotated[
        Literal["same_model", "same_provider", "global"],
        BeforeValidator(_plain_backoff_scope),
        WithJsonSchema({"enum": ["same_model", "same_provider", "global", "all_retries"], "type": "string"}),
    ] = Field(
        default="same_model",
        description="Before which retries to wait: `same_model`, of the same channel only; `same_provider`, also "
        "of another channel with the same prefix; `global`, every retry (`all_retries` means the same).",
    )
    base_ms: PositiveInt = Field(default=100, description="The first wait, in milliseconds.")
    max_ms: PositiveInt = Field(default=5000, description="The longest wait, in milliseconds.")
    jitter: StrictBool = Field(
        default=True, description="Vary each wait at random, so that many clients do not come back at the same moment."
    )


class RetryAfterHandling(_Object):
    """What a provider's `Retry-After` means for later requests."""

    scope: Literal["model", "provider"] = Field(
        default="model",
        description="What is left out until then: this channel (`model`), or every channel of its prefix.",
    )
    apply_to: Literal["request", "global"] = Field(
        default="global", description="For whom: only the `request` that saw it, or all requests (`global`)."
    )
    max_retry_after_seconds: PositiveInt = Field(
        default=300, description="A longer `Retry-After` is treated as this many seconds."
    )


class RetryPolicy(_Object):
    """What happens when a channel fails. Without a policy the provider's answer is passed on as it is."""

    fallback_models: tuple[str, ...] = Field(
        default=(),
        description="Channels to try next, in this order, by their full names.",
        examples=[["custom-aws/claude-opus-4-6", "custom-official/claude-opus-4-6"]],
    )
    fallback_scope: Literal["all_providers", "fallback_list_only"] = Field(
        default="all_providers",
        description="What follows when `fallback_models` are used up: `all_providers`, every other channel not "
        "tried yet, those with the same model first; `fallback_list_only`, nothing.",
    )
    default_strategy: Strategy = Field(
        default="different_provider",
        description="What the next channel must be, compared with the one that just failed: `same_model`, that "
        "channel again after a wait; `same_provider`, another channel with the same prefix; `different_provider`, "
        "a channel with another prefix. Holds for failures without a rule of their own.",
    )
    default_max_attempts: PositiveInt = Field(
        default=3, description="Most attempts for one request, the first included. Holds for failures without a rule."
    )
    max_retry_duration_ms: PositiveInt | None = Field(
        default=None,
        description="Time for all retries together, in milliseconds, counted from the first retry. Without it: no "
        "limit.",
        examples=[30000],
    )
    on_status_codes: tuple[StatusCodeRule, ...] = Field(
        default=(),
        description="Rules for particular HTTP status codes. Codes without a rule: 408, 425, 429 and all 5xx are "
        "retried, others are passed on.",
    )
    on_timeout: TimeoutRule | None = Field(default=None, description="Rule for channels that do not answer in time.")
    on_high_latency: HighLatencyRule | None = Field(
        default=None, description="Rule for channels that answer too slowly."
    )
    backoff: Backoff = Field(default=Backoff(), description="How long to wait before a retry.")
    retry_after_handling: RetryAfterHandling = Field(
        default=RetryAfterHandling(), description="What a provider's `Retry-After` means for later requests."
    )


# --- model_providers -------------------------------------------------------------------------------------------------


class Timeouts(_Object):
    """How long to wait for one channel. None of them limits an answer that is still moving."""

    connect: Duration | None = Field(
        default=None,
        description="Time to open a connection, TLS included. Without it: `overrides.upstream_connect_timeout`.",
        examples=["3s"],
    )
    first_token: Duration | None = Field(
        default=None,
        description="Time until the first piece of content arrives; then the next channel is tried. Without it: "
        "no limit.",
        examples=["20s"],
    )
    idle: Duration = Field(
        default=600.0,
        description="Longest silence of the provider, before its answer or within it.",
        examples=["2m"],
    )


class InlineRoutingPreference(_Object):
    """The older form of a route, written under the model that serves it."""

    name: Name = Field(description="Name of the route.")
    description: Prose = Field(description="Which requests belong to the route.")


class ModelProvider(_Object):
    """One channel: one model, where it is reached, with which key, and what happens when it fails."""

    model: ModelName = Field(
        description="`prefix/model`. The prefix names the channel or provider and is removed before the request "
        "is sent; the rest may contain further slashes. The same model under several prefixes is several channels "
        "of one model. `prefix/*` stands for every model of that prefix.",
        examples=["custom/claude-opus-4-6", "openai/gpt-5.4", "openrouter/*"],
    )
    name: Name = Field(
        default="",
        description="Name of the channel in logs and in answers. Without it: the value of `model`.",
        examples=["opus-main"],
    )
    access_key: SecretStr | None = Field(
        default=None,
        description="API key of this channel. `$NAME` is read from the environment or from `.env` beside config.yaml; "
        "`${NAME}` and `${NAME:-default}` may also stand inside a longer text. Anything else is the key itself.",
        examples=["$CLAUDE_API_KEY", "${CLAUDE_API_KEY:-not-needed}"],
    )
    base_url: str | None = Field(
        default=None,
        description="Where the provider is: http or https, a host, and a port if it is not the usual one. A path "
        "replaces the provider's own (`/v1` mostly): with `https://host/api/v2` requests go to "
        "`https://host/api/v2/chat/completions`. Not needed for built-in providers. `$NAME` is expanded.",
        examples=["https://api.example.com", "http://127.0.0.1:8000/v1"],
    )
    provider_interface: ProviderInterface | None = Field(
        default=None,
        description="The API that this provider offers: `openai` for anything OpenAI-compatible (chat "
        "completions), `openai_responses`, `anthropic` (messages), or the name of a built-in provider, whose path "
        "and kind of key then hold. Without it: that of a built-in prefix, else `openai`.",
    )
    default: StrictBool = Field(
        default=False,
        description="Take this channel for requests whose model is missing or unknown, and when no route fits. At "
        "most one.",
    )
    http_host: str | None = Field(
        default=None,
        description="Value of the `Host` header, where it differs from the host of `base_url`. `$NAME` is expanded.",
        examples=["api.internal.example.com"],
    )
    headers: dict[str, SecretStr] = Field(
        default={},
        description="Further request headers for this provider; they win over headers of the same name. "
        "`$NAME` in a value is expanded. Values are treated as secrets.",
        examples=[{"X-Team": "search", "X-Token": "$TEAM_TOKEN"}],
    )
    passthrough_auth: StrictBool = Field(
        default=False,
        description="Send the client's own key to this provider instead of `access_key`.",
    )
    retry_policy: RetryPolicy | None = Field(
        default=None,
        description="What happens when this channel fails. Without it: `retry_policy` at the top level of the "
        "file, if any. `retry` is accepted as another spelling.",
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="How long to wait for this channel.")
    proxy: Annotated[str, AfterValidator(_checked_proxy)] | None = Field(
        default=None,
        description="HTTP proxy for this channel, `http://host:port`; `direct` (or `none`) for no proxy. Without "
        "it: `HTTPS_PROXY` and `NO_PROXY` of the environment. `$NAME` is expanded.",
        examples=["http://proxy.example.com:3128", "direct"],
    )
    routing_preferences: tuple[InlineRoutingPreference, ...] = Field(
        default=(),
        description="Older form of the routes, moved to `routing_preferences` at the top level when the file is read.",
        # Not `deprecated=True`: pydantic would warn at every access of ours.
        json_schema_extra={"deprecated": True},
    )

    @model_validator(mode="before")
    @classmethod
    def _name_is_model(cls, data: object) -> object:
        """The name of a channel without one is its model."""
        if isinstance(data, dict) and "name" not in data and isinstance(data.get("model"), str):
            return {**data, "name": data["model"]}
        return data

    @property
    def prefix(self) -> str:
        """What stands before the first slash of `model`: "the provider" in the words of `retry_policy`."""
        return self.model.partition("/")[0]

    @property
    def model_id(self) -> str:
        """The model without the prefix, as the provider knows it; `*` for a wildcard."""
        return self.model.partition("/")[2]

    @property
    def is_wildcard(self) -> bool:
        """True when this channel stands for every model of its prefix."""
        return self.model_id == "*"


# --- The other sections ----------------------------------------------------------------------------------------------


class Listener(_Object):
    """Where clients connect."""

    type: Annotated[Literal["model"], BeforeValidator(_checked_listener_type)] = Field(
        default="model", description="Kind of listener: `model`, the OpenAI-compatible API. There is no other."
    )
    name: Name = Field(
        default=DEFAULT_LISTENER_NAME, description="Name of the listener in logs.", examples=["smart_routing"]
    )
    address: Annotated[str, AfterValidator(_checked_address)] = Field(
        default="127.0.0.1",
        description="Address to listen on: `127.0.0.1`, this machine only; `0.0.0.0`, every interface.",
        examples=["0.0.0.0"],
    )
    port: Annotated[StrictInt, Field(ge=1, le=65535)] = Field(default=DEFAULT_PORT, description="TCP port, 1 to 65535.")
    timeout: Duration = Field(
        default=3600.0,
        description="Longest silence on a request, in either direction; an answer that still moves is never cut. "
        "A number of seconds, or with a unit.",
        examples=["300s", "1h"],
    )
    max_retries: Annotated[
        _Discarded, NoEffect("Retries are described by `retry_policy`, which also changes channels.")
    ] = Field(default=None, description="Retries of the same provider, in upstream.")
    input_filters: Ignored = Field(default=None, description="Filters of requests, in upstream.")
    output_filters: Ignored = Field(default=None, description="Filters of answers, in upstream.")
    router: Ignored = Field(default=None, description="Router of an agent listener, in upstream.")
    agents: Ignored = Field(default=None, description="Agents of an agent listener, in upstream.")


class ModelAlias(_Object):
    """Another name for a model."""

    target: str = Field(
        description="The model that is meant: a full name, or a model without its prefix.",
        examples=["custom/claude-opus-4-6"],
    )


class SelectionPolicy(_Object):
    """Which of a route's models comes first."""

    prefer: Literal["cheapest", "fastest", "none"] = Field(
        default="none",
        description="`none`: in the order written. `cheapest`: by `routing.price_file`. `fastest`: by the time that "
        "the first content took lately, as measured here.",
    )


class RoutingPreference(_Object):
    """One route: a kind of request and the models for it."""

    name: Name = Field(description="Name of the route, unique.", examples=["code generation"])
    description: Prose = Field(
        description="Which requests belong to the route, in plain words; this is what decides.",
        examples=["writing new functions, implementing features, fixing bugs"],
    )
    models: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Models for the route; the first is preferred, the others follow when it fails.",
        examples=[["custom/gpt-5.4", "custom/claude-sonnet-4-6"]],
    )
    examples: tuple[str, ...] = Field(
        default=(),
        description="Prompts that belong to the route; they make the decision surer.",
        examples=[["write a parser for this log format"]],
    )
    selection_policy: SelectionPolicy = Field(
        default=SelectionPolicy(), description="Which of the route's models comes first."
    )


class SessionCache(_Object):
    """Where it is remembered which conversation has which model."""

    type: Literal["memory", "redis"] = Field(
        default="memory",
        description="`memory`: by this gateway, for all its workers, until it ends; `redis`: by a Redis, for all "
        "gateways that use it (`pip install 'planoai[redis]'`).",
    )
    url: SecretStr | None = Field(
        default=None,
        description="Where Redis is: `redis://host:6379/0`, `redis://user:password@host`, or `rediss://` for TLS. "
        "Characters of a password other than letters and digits are percent-encoded. `$NAME` is expanded.",
        examples=["$REDIS_URL", "rediss://:${REDIS_PASSWORD}@redis.example.com:6380/0"],
    )
    key_prefix: Name = Field(
        default="plano:affinity:",
        description="What the names of all keys in Redis begin with; a hash of the conversation follows.",
    )
    timeout_ms: PositiveInt = Field(
        default=50,
        description="Longest time that a request waits for Redis, in milliseconds; then it goes by what this gateway "
        "remembers itself.",
    )
    tenant_header: str | None = Field(
        default=None,
        description="Request header whose value tells tenants apart: different values never share a conversation.",
        examples=["x-tenant-id"],
    )


class RemoteRouter(_Object):
    """An OpenAI-compatible endpoint that decides about routes and is no channel."""

    base_url: str = Field(
        description="Where it is; without a path, `/v1` is added. `/chat/completions` below it is asked. `$NAME` is "
        "expanded.",
        examples=["http://127.0.0.1:11434"],
    )
    model: Name = Field(description="Name of the model, as the endpoint knows it.", examples=["qwen3:4b"])
    access_key: SecretStr | None = Field(
        default=None,
        description="Its API key, sent as `Authorization: Bearer`; `$NAME` as for channels. Without it: no key is "
        "sent.",
        examples=["$ROUTER_API_KEY"],
    )


class Routing(_Object):
    """How requests are routed by what they ask. Has an effect only with `routing_preferences`."""

    apply_to: Literal["all", "auto"] = Field(
        default="all",
        description="Which requests are routed: `all`, whatever model the client names; `auto`, those that ask "
        "for the model `auto`.",
    )
    min_confidence: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(
        default=None,
        description="Least probability, 0 to 1, that a route must have; below it the `default` channel is taken. "
        "Without it: what suits the backend.",
        examples=[0.6],
    )
    downgrade_limit: Annotated[float, Field(ge=0, le=1, strict=True)] = Field(
        default=0.3,
        description="A route with a weaker model is taken only when the probability that a stronger model is needed "
        "is no more than this: the lower, the fewer hard requests reach a weak model, and the more easy ones a strong "
        "model.",
    )
    backend: Literal["auto", "builtin", "llama", "remote", "off"] = Field(
        default="auto",
        description="What decides: `builtin`, a small classifier; `llama`, a local language model; `remote`, a "
        "channel named in `overrides.llm_routing_model`, or `routing.remote`; `auto`, the best there is; `off`, "
        "nothing.",
    )
    model: str | None = Field(
        default=None,
        description="Local language model for the backends `llama` and `auto`: the name of one that `planoai models "
        "pull` has downloaded, or the path of a GGUF file, relative to config.yaml. Without it: the one model in "
        "`~/.plano/models`, where there is exactly one.",
        examples=["qwen2.5-1.5b-instruct"],
    )
    gpu_layers: Literal["auto"] | Annotated[int, Field(ge=0, strict=True)] = Field(
        default="auto",
        description="How many layers of the local model go to the graphics processor; `auto`: all, where llama.cpp was "
        "built for one.",
        examples=[0],
    )
    timeout_ms: PositiveInt = Field(
        default=2500, description="Longest time for a decision, in milliseconds; then the request goes on without one."
    )
    price_file: str | None = Field(
        default=None,
        description="YAML file with the prices of models, for `selection_policy: cheapest` and for the choice of the "
        "weaker and the stronger model: `prefix/model: {input: 3, output: 15}`, US dollars for a million tokens. "
        "Relative to config.yaml.",
        examples=["prices.yaml"],
    )
    switch_margin: Annotated[float, Field(ge=0, le=1, strict=True)] = Field(
        default=0.25,
        description="A conversation changes its route only when the router is surer of the other one by this much; "
        "half of it is enough for a stronger model.",
    )
    session_ttl_seconds: PositiveInt = Field(
        default=3600, description="How long a conversation is remembered after its last answer."
    )
    session_max_entries: PositiveInt = Field(default=10_000, description="How many conversations are remembered.")
    llm_provider: Ignored = Field(default=None, description="Routing model of old versions of upstream.")
    session_cache: SessionCache = Field(
        default=SessionCache(), description="Where it is remembered which conversation has which model."
    )
    remote: RemoteRouter | None = Field(
        default=None,
        description="An endpoint for `backend: remote` or `auto` that is no channel. It comes before "
        "`overrides.llm_routing_model`.",
    )
    routing_budget: Ignored = Field(default=None, description="Budget for changes of model, in upstream.")
    route_on_user_only: Ignored = Field(default=None, description="What the router reads, in upstream.")


class Overrides(_Object):
    """Settings that are seldom needed."""

    upstream_connect_timeout: Duration = Field(
        default=5.0,
        description="Time to open a connection to a provider, TLS included. A number of seconds, or with a unit.",
    )
    upstream_tls_ca_path: str | None = Field(
        default=None,
        description="File with the CA certificates that providers are checked against. Without it: those of the "
        "system. `$NAME` is expanded.",
        examples=["/etc/ssl/certs/ca-certificates.crt"],
    )
    max_request_bytes: Size = Field(
        default=DEFAULT_MAX_REQUEST_BYTES,
        description="Largest request body; a larger one is answered with 413. A number of bytes, or with a unit "
        "(`64MiB`).",
        examples=["64MiB"],
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Web origins whose pages may use the gateway from a browser, beside those of this machine and "
        "installed applications; `*` allows any site, which can then spend your keys.",
        examples=[["https://chat.example.com"]],
    )
    llm_routing_model: str | None = Field(
        default=None,
        description="Channel or model that decides about routes when `routing.backend` is `remote` or `auto`.",
        examples=["custom/gemini-3-flash-preview"],
    )
    agent_orchestration_model: str | None = Field(
        default=None, description="Used like `llm_routing_model` when that is not set."
    )
    orchestrator_model_context_length: PositiveInt = Field(
        default=8192, description="How much of a conversation the routing model is given, in tokens."
    )
    disable_signals: Ignored = Field(default=None, description="Analysis of conversations, in upstream.")
    use_agent_orchestrator: Ignored = Field(default=None, description="Agents, in upstream.")
    prompt_target_intent_matching_threshold: Ignored = Field(default=None, description="Prompt targets, in upstream.")
    optimize_context_window: Ignored = Field(default=None, description="Prompt targets, in upstream.")


class PlanoConfig(_Object):
    """The whole of config.yaml."""

    version: Literal["v0.1", "v0.1.0", "0.1-beta", "0.2.0", "v0.2.0", "v0.3.0", "v0.4.0"] = Field(
        default="v0.4.0",
        description="Version of the file format. Older ones than `v0.4.0` are understood as they were.",
    )
    listeners: tuple[Listener, ...] = Field(
        default=(Listener(),),
        min_length=1,
        description=f"Where clients connect. Without it: one listener on 127.0.0.1, port {DEFAULT_PORT}.",
    )
    model_providers: tuple[ModelProvider, ...] = Field(
        default=(),
        description="The channels, at least one. When several could serve a request, the first in the file comes "
        "first.",
    )
    model_aliases: dict[str, ModelAlias] = Field(
        default={},
        description="Other names for models, as clients may write them.",
        examples=[{"fast": {"target": "custom/gemini-3-flash-preview"}}],
    )
    retry_policy: RetryPolicy | None = Field(
        default=None, description="What happens when a channel fails that has no `retry_policy` of its own."
    )
    routing_preferences: tuple[RoutingPreference, ...] = Field(
        default=(),
        description="Routes: which kind of request goes to which models. Without it nothing is routed; every "
        "request goes to the model that it names.",
    )
    routing: Routing = Field(default=Routing(), description="How routes are chosen.")
    workers: Annotated[PositiveInt, Field(le=64)] = Field(
        default=1,
        description="How many brightstaff processes decide about requests. Each takes one core; one is enough for "
        "hundreds of requests a second.",
    )
    overrides: Overrides = Field(default=Overrides(), description="Settings that are seldom needed.")
    tracing: Ignored = Field(default=None, description="Traces, in upstream.")
    ratelimits: Ignored = Field(default=None, description="Limits of tokens, in upstream.")
    state_storage: Ignored = Field(default=None, description="Where conversations are stored, in upstream.")
    prompt_caching: Ignored = Field(default=None, description="Caches of providers, in upstream.")
    model_metrics_sources: Ignored = Field(default=None, description="Prices and latencies, in upstream.")
    system_prompt: Ignored = Field(default=None, description="System prompt of prompt targets, in upstream.")
    prompt_targets: Ignored = Field(default=None, description="Prompt targets, in upstream.")
    prompt_guards: Ignored = Field(default=None, description="Prompt guards, in upstream.")
    endpoints: Ignored = Field(default=None, description="Endpoints of prompt targets, in upstream.")
    agents: Ignored = Field(default=None, description="Agents, in upstream.")
    filters: Ignored = Field(default=None, description="Filters, in upstream.")
    mode: Ignored = Field(default=None, description="Mode of operation, in upstream.")

    @property
    def default_provider(self) -> ModelProvider | None:
        """The channel marked `default: true`."""
        return next((provider for provider in self.model_providers if provider.default), None)

    def policy_of(self, provider: ModelProvider) -> RetryPolicy | None:
        """The retry policy that holds for requests whose first channel is `provider`."""
        return provider.retry_policy or self.retry_policy

    def with_changes(self, **changes: object) -> Self:
        """A copy with some top-level sections replaced."""
        return self.model_copy(update=changes)
