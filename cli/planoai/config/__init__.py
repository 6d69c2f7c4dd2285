"""config.yaml: its schema, its reading, and everything that can be wrong with it."""

from planoai.config.endpoint import Endpoint, endpoint_of
from planoai.config.json_schema import json_schema
from planoai.config.loader import LoadedConfig, load_config, parse_config
from planoai.config.problems import ConfigError, Problem, render_problems
from planoai.config.providers import BUILTIN_PROVIDERS, AuthForm, BuiltinProvider, Interface, lookup
from planoai.config.recommended import recommended_config_text
from planoai.config.reference import reference_markdown
from planoai.config.schema import (
    Backoff,
    CodeRange,
    HighLatencyRule,
    Listener,
    ModelAlias,
    ModelProvider,
    Overrides,
    PlanoConfig,
    RemoteRouter,
    RetryAfterHandling,
    RetryPolicy,
    Routing,
    RoutingPreference,
    SessionCache,
    StatusCodeRule,
    TimeoutRule,
    Timeouts,
)

__all__ = [
    "BUILTIN_PROVIDERS",
    "AuthForm",
    "Backoff",
    "BuiltinProvider",
    "CodeRange",
    "ConfigError",
    "Endpoint",
    "HighLatencyRule",
    "Interface",
    "Listener",
    "LoadedConfig",
    "ModelAlias",
    "ModelProvider",
    "Overrides",
    "PlanoConfig",
    "Problem",
    "RemoteRouter",
    "RetryAfterHandling",
    "RetryPolicy",
    "Routing",
    "RoutingPreference",
    "SessionCache",
    "StatusCodeRule",
    "TimeoutRule",
    "Timeouts",
    "endpoint_of",
    "json_schema",
    "load_config",
    "lookup",
    "parse_config",
    "recommended_config_text",
    "reference_markdown",
    "render_problems",
]
