"""Rules between the values of a configuration, and rules about values that the schema cannot express. Pure.

Every function yields findings with paths into the configuration it was given. No message contains a key.
"""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from planoai.config.endpoint import interface_agrees
from planoai.config.introspection import set_without_effect
from planoai.config.problems import Finding, Path
from planoai.config.providers import BUILTIN_PROVIDERS, lookup
from planoai.config.schema import ModelProvider, PlanoConfig, RemoteRouter, RetryPolicy, SessionCache, Strategy

#: A header's name is a `token` of HTTP (RFC 9110, 5.6.2).
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)

#: Headers about one connection (RFC 9110, 7.6.1), which a gateway must make itself.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_MANY_NAMES = 8


@dataclass(frozen=True)
class Names:
    """The names that a configuration declares, and how they are found."""

    #: `model` and `name` of every channel that is no wildcard.
    full: tuple[str, ...]
    #: Models without their prefixes.
    bare: tuple[str, ...]
    #: Prefixes with a wildcard.
    wildcards: frozenset[str]
    aliases: dict[str, str]
    #: Declared by providers that have other mistakes.
    broken: frozenset[str]

    @classmethod
    def of(cls, config: PlanoConfig, broken: frozenset[str] = frozenset()) -> "Names":
        """The names of `config`."""
        plain = [provider for provider in config.model_providers if not provider.is_wildcard]
        return cls(
            full=tuple(dict.fromkeys(name for provider in plain for name in (provider.model, provider.name))),
            bare=tuple(dict.fromkeys(provider.model_id for provider in plain)),
            wildcards=frozenset(provider.prefix for provider in config.model_providers if provider.is_wildcard),
            aliases={alias: target.target for alias, target in config.model_aliases.items()},
            broken=broken | {name.partition("/")[2] for name in broken},
        )

    def has_full(self, name: str) -> bool:
        """True for the full name of a channel, or one that a wildcard covers."""
        prefix, _, model = name.partition("/")
        return name in self.full or name in self.broken or (prefix in self.wildcards and model not in ("", "*"))

    def has(self, name: str) -> bool:
        """True for a full name or a model without its prefix."""
        return self.has_full(name) or name in self.bare

    def remedy(self, name: str, *, full_only: bool = False) -> str:
        """What to write instead of the unknown `name`."""
        if name in self.aliases:
            return f"`{name}` is an alias; write what it stands for: `{self.aliases[name]}`."
        same_model = [full for full in self.full if full.partition("/")[2] == name.rpartition("/")[2]]
        if same_model:
            return f"Did you mean {' or '.join(f'`{full}`' for full in same_model[:3])}?"
        known = self.full if full_only else (*self.full, *self.bare)
        near = difflib.get_close_matches(name, known, n=1)
        if near:
            return f"Did you mean `{near[0]}`?"
        shown = ", ".join(self.full[:_MANY_NAMES]) + (", …" if len(self.full) > _MANY_NAMES else "")
        return f"Add it to `model_providers`, or write one of: {shown or 'none is declared'}."


def check(
    config: PlanoConfig, broken_names: frozenset[str] = frozenset(), *, lost_providers: bool = False
) -> list[Finding]:
    """Every finding about `config`.

    `broken_names` are declared by providers that could not be read; `lost_providers` says that there are such.
    """
    names = Names.of(config, broken_names)
    findings = [
        *_no_effect(config),
        *_listeners(config),
        *_providers_together(config, lost_providers=lost_providers),
        *_aliases(config, names),
        *_routes(config, names),
        *_routing_model(config, names),
        *_remote_router(config.routing.remote),
        *_session_cache(config.routing.session_cache),
    ]
    for index, provider in enumerate(config.model_providers):
        path: Path = ("model_providers", index)
        findings += _provider(provider, path)
        if provider.retry_policy is not None:
            policy_path = (*path, "retry_policy")
            findings += _policy(provider.retry_policy, policy_path, names, provider)
            if not lost_providers:
                findings += _reach(provider.retry_policy, policy_path, config, provider)
    if config.retry_policy is not None:
        findings += _policy(config.retry_policy, ("retry_policy",), names, None)
    return findings


def _error(path: Path, message: str, remedy: str, *, show_value: bool = True) -> Finding:
    return Finding("error", path, message, remedy, show_value=show_value)


def _warning(path: Path, message: str, remedy: str, *, show_value: bool = True) -> Finding:
    return Finding("warning", path, message, remedy, show_value=show_value)


def _at_key(path: Path, message: str, remedy: str) -> Finding:
    return Finding("error", path, message, remedy, show_value=False, at_key=True)


# --- The file as a whole ---------------------------------------------------------------------------------------------


def _no_effect(config: PlanoConfig) -> Iterator[Finding]:
    for path, mark in set_without_effect(config):
        yield Finding("notice", path, f"`{path[-1]}` has no effect", mark.hint, show_value=False, at_key=True)


def _listeners(config: PlanoConfig) -> Iterator[Finding]:
    for index, listener in enumerate(config.listeners):
        path: Path = ("listeners", index)
        for other in config.listeners[:index]:
            if other.name == listener.name:
                yield _error(
                    (*path, "name"),
                    f"two listeners have the name `{listener.name}`",
                    "Give each listener a name of its own.",
                    show_value=False,
                )
            if other.port == listener.port and _same_sockets(other.address, listener.address):
                yield _error(
                    (*path, "port"),
                    f"another listener has port {listener.port} on the same address",
                    "Give each listener a port of its own.",
                    show_value=False,
                )


def _same_sockets(first: str, second: str) -> bool:
    one, two = ipaddress.ip_address(first), ipaddress.ip_address(second)
    return one.version == two.version and (one == two or one.is_unspecified or two.is_unspecified)


def _providers_together(config: PlanoConfig, *, lost_providers: bool) -> Iterator[Finding]:
    providers = config.model_providers
    if not providers and not lost_providers:
        yield _error(
            ("model_providers",),
            "there is no model",
            "Add at least one item with `model`, and with `base_url` and `access_key` as needed.",
            show_value=False,
        )
    first_default: int | None = None
    for index, provider in enumerate(providers):
        path: Path = ("model_providers", index)
        earlier = providers[:index]
        if any(provider.model == other.model for other in earlier):
            yield _error(
                (*path, "model"),
                "this model is declared twice under the same prefix",
                f"Give one of them another prefix, for example {provider.prefix}-2/{provider.model_id}, or remove it.",
            )
        elif any(provider.name in (other.name, other.model) for other in earlier) or any(
            provider.name == other.model != other.name for other in providers[index + 1 :]
        ):
            yield _error((*path, "name"), "another channel has this name", "Give each channel a name of its own.")
        if not provider.default:
            continue
        if provider.is_wildcard:
            yield _error(
                (*path, "default"),
                "a wildcard cannot be the default: it stands for many models",
                "Add an item for one model, and mark that one with `default: true`.",
                show_value=False,
            )
        elif first_default is None:
            first_default = index
        else:
            yield _error(
                (*path, "default"),
                f"`{providers[first_default].name}` is the default already",
                "Keep `default: true` at one channel only.",
                show_value=False,
            )


def _aliases(config: PlanoConfig, names: Names) -> Iterator[Finding]:
    for alias, entry in config.model_aliases.items():
        path: Path = ("model_aliases", alias)
        if not alias.strip() or not alias.isprintable():
            yield _at_key(path, "an alias needs a name", "Write a name on one line.")
        if alias in names.full:
            yield _at_key(
                path, f"`{alias}` is the name of a channel; the alias would hide it", "Give the alias another name."
            )
        target = entry.target
        if target in names.aliases:
            yield _error((*path, "target"), "an alias cannot stand for another alias", _end_of_chain(target, names))
        elif not names.has(target):
            yield _error((*path, "target"), "is not a declared model", names.remedy(target))


def _end_of_chain(name: str, names: Names) -> str:
    seen: set[str] = set()
    while name in names.aliases and name not in seen:
        seen.add(name)
        name = names.aliases[name]
    return f"Write `target: {name}`." if name not in seen else "Write the full name of a channel, prefix/model."


def _routes(config: PlanoConfig, names: Names) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, route in enumerate(config.routing_preferences):
        path: Path = ("routing_preferences", index)
        if route.name in seen:
            yield _error(
                (*path, "name"), "two routes have this name", "Give each route a name of its own, or join the two."
            )
        seen.add(route.name)
        for number, model in enumerate(route.models):
            if not names.has(model):
                yield _error((*path, "models", number), "is not a declared model", names.remedy(model))
            elif model in route.models[:number]:
                yield _warning((*path, "models", number), "is in the list already", "Remove one of the two.")


def _routing_model(config: PlanoConfig, names: Names) -> Iterator[Finding]:
    """The model that decides about routes must be there when it is wanted."""
    if not config.routing_preferences or config.routing.remote is not None:
        return
    wanted = config.routing.backend == "remote"
    for key in ("llm_routing_model", "agent_orchestration_model"):
        named = getattr(config.overrides, key)
        if named is not None and not names.has(named):
            # Upstream has models of its own, which its users' files name: others than `remote` do without.
            told = _error if wanted else _warning
            yield told(("overrides", key), "is not a declared model, and decides nothing", names.remedy(named))
    if wanted and config.overrides.llm_routing_model is None and config.overrides.agent_orchestration_model is None:
        yield _error(
            ("routing", "backend"),
            "is `remote`, and no model is named that decides",
            "Set overrides.llm_routing_model to the name of a channel, or describe an endpoint in routing.remote.",
        )


def _remote_router(remote: RemoteRouter | None) -> Iterator[Finding]:
    if remote is None:
        return
    path: Path = ("routing", "remote")
    yield from _base_url(remote.base_url, (*path, "base_url"))
    if remote.access_key is not None:
        yield from _key_text(remote.access_key.get_secret_value(), (*path, "access_key"))


_REDIS_REMEDY = "Write redis://host:6379/0, redis://user:password@host:6379, or rediss:// for TLS."


def _session_cache(cache: SessionCache) -> Iterator[Finding]:
    path: Path = ("routing", "session_cache")
    if cache.tenant_header is not None and not HEADER_NAME.fullmatch(cache.tenant_header):
        yield _error((*path, "tenant_header"), "is not a header name", "Use letters, digits and `-`.")
    if cache.url is None:
        if cache.type == "redis":
            yield _error((*path, "type"), "is `redis`, and there is no `url`", f"Add `url`. {_REDIS_REMEDY}")
        return
    if cache.type != "redis":
        yield _warning(
            (*path, "url"), "is not used: `type` is `memory`", "Write `type: redis` beside it, or remove it."
        )
        return
    yield from _redis_url(cache.url.get_secret_value(), (*path, "url"))


def _redis_url(url: str, path: Path) -> Iterator[Finding]:
    """No message shows any of it: what is wrong may be the password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield _error(
            path,
            "is not a valid URL",
            f"{_REDIS_REMEDY} Characters such as @ : / # ? of a password are percent-encoded.",
        )
        return
    if parts.scheme not in ("redis", "rediss"):
        yield _error(path, "is neither a redis:// nor a rediss:// URL", _REDIS_REMEDY)
    elif not _is_host(host) or port == 0 or any(each.isspace() or not each.isprintable() for each in url):
        yield _error(path, "has no valid host", _REDIS_REMEDY)
    elif parts.query or parts.fragment or not re.fullmatch(r"/?\d*", parts.path):
        yield _error(
            path,
            "has something else than the number of a database behind the host",
            f"{_REDIS_REMEDY} Characters such as @ : / # ? of a password are percent-encoded.",
        )


# --- One provider ----------------------------------------------------------------------------------------------------


def _provider(provider: ModelProvider, path: Path) -> Iterator[Finding]:
    yield from _interface(provider, path)
    yield from _base_url(provider.base_url, (*path, "base_url"))
    yield from _http_host(provider.http_host, (*path, "http_host"))
    yield from _key(provider, path)
    yield from _headers(provider, (*path, "headers"))
    yield from _proxy(provider.proxy, (*path, "proxy"))
    if provider.is_wildcard and provider.routing_preferences:
        yield _at_key(
            (*path, "routing_preferences"),
            "a wildcard cannot serve a route: it stands for many models",
            "Write the routes at the top level, with the models that they are for.",
        )


def _interface(provider: ModelProvider, path: Path) -> Iterator[Finding]:
    builtin = lookup(provider.prefix)
    if builtin is None and provider.base_url is None:
        known = [
            prefix
            for prefix, row in BUILTIN_PROVIDERS.items()
            if not row.needs_base_url and prefix != "openai_responses"
        ]
        near = difflib.get_close_matches(provider.prefix, known, n=1, cutoff=0.7)
        hint = f"Did you mean `{near[0]}/{provider.model_id}`? " if near else ""
        yield _error(
            (*path, "model"),
            f"`{provider.prefix}` is not a built-in provider, and there is no `base_url`",
            f"{hint}Add `base_url`, or use a built-in prefix: {', '.join(known)}.",
        )
    elif builtin is not None and builtin.needs_base_url and provider.base_url is None:
        yield _error(
            (*path, "model"),
            f"`{provider.prefix}` is somewhere else for everybody, and there is no `base_url`",
            "Add `base_url: https://…` with the address of yours.",
        )
    elif not interface_agrees(provider):
        yield _error(
            (*path, "provider_interface"),
            f"contradicts the built-in provider `{provider.prefix}`",
            "Remove `provider_interface`, or add the `base_url` that offers this interface.",
        )


def _base_url(base_url: str | None, path: Path) -> Iterator[Finding]:
    if base_url is None:
        return
    if "://" not in base_url:
        yield _error(path, "is not a complete URL", "Begin with https:// (or http://): `base_url: https://host`.")
        return
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield _error(path, "is not a valid URL", "Write https://host, https://host:port or https://host/path.")
        return
    if parts.scheme not in ("http", "https"):
        yield _error(path, "is neither an http nor an https URL", "Begin with https:// or http://.")
    if not host or not _is_host(host) or port == 0:
        yield _error(path, "has no valid host", "Write https://host, https://host:port or https://host/path.")
    if "@" in base_url:
        # Also behind a slash: a password may contain one.
        yield _error(
            path,
            "contains a user name or password",
            "Remove what stands before the @, and put the key into `access_key`.",
        )
    if parts.query or parts.fragment or base_url.endswith(("?", "#")):
        yield _error(
            path,
            "contains a query or a fragment",
            "Remove everything from ? or # on; a key in a URL belongs in `access_key` or `headers`.",
            show_value=False,
        )
    for ending in ("/chat/completions", "/responses", "/messages", "/completions", "/embeddings"):
        if parts.path.rstrip("/").endswith(ending):
            yield _error(path, f"ends in {ending}, which is added to it", f"Remove {ending}.")
            break
    if any(character.isspace() or not character.isprintable() for character in base_url):
        yield _error(path, "contains a space or a control character", "Remove it.")


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # All-digit names are mistyped addresses (300.1.1.1).
        return _HOST_NAME.fullmatch(host) is not None and not host.replace(".", "").isdigit()
    return True


def _http_host(http_host: str | None, path: Path) -> Iterator[Finding]:
    if http_host is None:
        return
    try:
        parts = urlsplit(f"//{http_host}")
        valid = (
            parts.netloc == http_host and "@" not in http_host and _is_host(parts.hostname or "") and parts.port != 0
        )
    except ValueError:
        valid = False
    if not valid:
        yield _error(path, "is not a host", "Write a host name or address, with `:port` if needed; no scheme, no path.")


def _key(provider: ModelProvider, path: Path) -> Iterator[Finding]:
    key_path = (*path, "access_key")
    key = provider.access_key.get_secret_value() if provider.access_key is not None else ""
    builtin = lookup(provider.prefix)
    if provider.passthrough_auth:
        if key:
            yield _warning(
                key_path,
                "is not used: `passthrough_auth` sends the client's own key",
                "Remove one of the two.",
                show_value=False,
            )
    elif (
        not key and builtin is not None and builtin.needs_key and (provider.base_url is None or builtin.needs_base_url)
    ):
        has_own = any(name.lower() in ("authorization", "x-api-key", "api-key") for name in provider.headers)
        if not has_own:
            yield Finding(
                "warning",
                (*path, "model"),
                f"there is no key for `{provider.prefix}`; it will refuse the requests",
                "Add `access_key: $NAME`, or `passthrough_auth: true` to send the client's own key.",
            )
    if key:
        yield from _key_text(key, key_path)


def _key_text(key: str, key_path: Path) -> Iterator[Finding]:
    if key[:7].lower() == "bearer ":
        yield _error(key_path, "begins with `Bearer`", "Give the key alone; `Bearer` is added to it.")
    elif any(character.isspace() for character in key):
        yield _error(
            key_path,
            "contains a space or a line break",
            "Remove it, in .env or in the environment if the key comes from there.",
        )
    elif not (key.isascii() and key.isprintable()):
        yield _error(
            key_path,
            "contains a character that cannot be sent in an HTTP header",
            "Copy the key again; an invisible or full-width character got into it.",
        )
    elif len(key) > 1 and key[0] == key[-1] and key[0] in "'\"":
        yield _warning(
            key_path, "begins and ends with a quote, which will be sent as part of the key", "Remove the inner quotes."
        )


def _headers(provider: ModelProvider, path: Path) -> Iterator[Finding]:
    seen: set[str] = set()
    for name, secret in provider.headers.items():
        here, lower = (*path, name), name.lower()
        if not HEADER_NAME.fullmatch(name):
            yield _at_key(here, "is not a header name", "Use letters, digits and `-`.")
        elif lower in _HOP_BY_HOP or lower == "content-length":
            yield _at_key(here, f"`{name}` is set by the gateway itself", "Remove it.")
        elif lower == "host":
            yield _at_key(here, "`Host` is not set here", "Use `http_host`.")
        elif lower.startswith("x-plano-"):
            yield _at_key(here, "headers that begin with `x-plano-` are Plano's own", "Use another name.")
        elif lower in seen:
            yield _at_key(here, f"`{name}` is given twice; case does not matter", "Keep one.")
        seen.add(lower)
        value = secret.get_secret_value()
        if any(character in value for character in "\r\n\0"):
            yield _error(here, "contains a line break", "Write the value on one line, in quotes; no `|` or `>`.")


def _proxy(proxy: str | None, path: Path) -> Iterator[Finding]:
    if proxy is None or proxy == "direct":
        return
    remedy = "Write http://host:port, or `direct` for no proxy."
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme in ("https", "socks4", "socks4a", "socks5", "socks5h"):
        yield _error(path, f"is a proxy of a kind that cannot be used ({parts.scheme})", remedy)
    elif parts.scheme != "http" or not _is_host(host):
        yield _error(path, "is not the URL of a proxy", remedy)
    elif "@" in parts.netloc:
        yield _error(
            path,
            "contains a user name or password, which cannot be sent to a proxy",
            "Use a proxy on this machine that logs in to it.",
        )
    elif port is None:
        yield _error(path, "has no port", remedy)
    elif parts.path not in ("", "/") or parts.query or parts.fragment:
        yield _error(path, "has a path", remedy)


# --- retry_policy ----------------------------------------------------------------------------------------------------


def _policy(policy: RetryPolicy, path: Path, names: Names, owner: ModelProvider | None) -> Iterator[Finding]:
    yield from _fallbacks(policy, (*path, "fallback_models"), names, owner)
    yield from _overlaps(policy, (*path, "on_status_codes"))
    slow = policy.on_high_latency
    if slow is not None and slow.min_triggers > 1 and slow.trigger_window_seconds is None:
        yield _error(
            (*path, "on_high_latency", "min_triggers"),
            "needs `trigger_window_seconds`: the time within which so many slow answers count",
            "Add `trigger_window_seconds`, for example 60, beside it.",
        )
    backoff = policy.backoff
    if backoff.max_ms < backoff.base_ms:
        key = "max_ms" if "max_ms" in backoff.model_fields_set else "base_ms"
        yield _error(
            (*path, "backoff", key),
            f"`max_ms` ({backoff.max_ms}) is below `base_ms` ({backoff.base_ms})",
            f"Write `max_ms: {backoff.base_ms}` or more.",
            show_value=False,
        )


def _fallbacks(policy: RetryPolicy, path: Path, names: Names, owner: ModelProvider | None) -> Iterator[Finding]:
    for number, model in enumerate(policy.fallback_models):
        here = (*path, number)
        if model.endswith("/*"):
            yield _error(here, "a wildcard cannot be a fallback", "Write one model of it: prefix/model.")
        elif owner is not None and model in (owner.model, owner.name):
            yield _error(here, "is the channel itself", "Remove it; `same_model` tries the same channel again.")
        elif model in policy.fallback_models[:number]:
            yield _error(here, "is in the list already", "Remove one of the two.")
        elif not names.has_full(model):
            yield _error(here, "is not a declared channel", names.remedy(model, full_only=True))


def _overlaps(policy: RetryPolicy, path: Path) -> Iterator[Finding]:
    earlier: list[tuple[int, int, int]] = []
    for number, rule in enumerate(policy.on_status_codes):
        for position, codes in enumerate(rule.codes):
            for low, high, rule_number in earlier:
                if codes.low <= high and low <= codes.high:
                    both_low, both_high = max(low, codes.low), min(high, codes.high)
                    both = str(both_low) if both_low == both_high else f"{both_low}-{both_high}"
                    where = "in this rule" if rule_number == number else f"in rule {rule_number + 1}, which counts"
                    yield _warning(
                        (*path, number, "codes", position), f"{both} is already {where}", "Name each code once."
                    )
                    break
            earlier.append((codes.low, codes.high, number))


def _reach(policy: RetryPolicy, path: Path, config: PlanoConfig, owner: ModelProvider) -> Iterator[Finding]:
    """Attempts that can never be made, and strategies that never find a channel."""
    if any(provider.is_wildcard for provider in config.model_providers):
        return  # Any number of channels.
    for strategy, attempts, strategy_path, attempts_path in _limits(policy, path):
        if strategy == "same_model" or attempts <= 1:
            continue
        targets = _targets(policy, config, owner, strategy)
        if not targets:
            other = "another" if strategy == "different_provider" else "the same"
            yield Finding(
                "warning",
                strategy_path,
                f"`{strategy}` never finds a channel: no other one has {other} prefix",
                "Add a channel that fits, or choose another strategy; `same_model` tries the same channel again.",
                show_value=False,
            )
        elif attempts_path is not None and attempts > 1 + len(targets):
            yield _warning(
                attempts_path,
                f"only {1 + len(targets)} attempts are possible: this channel and {len(targets)} that can follow it",
                f"Write {1 + len(targets)}, or add channels.",
            )


def _limits(policy: RetryPolicy, path: Path) -> Iterator[tuple[Strategy, int, Path, Path | None]]:
    """Each strategy with its number of attempts and where the two stand; None where the number is a default."""

    def place(name: str, *parts: str | int) -> Path:
        return (*path, *parts, name)

    given = policy.model_fields_set
    default_strategy_path = place("default_strategy") if "default_strategy" in given else path
    default_attempts_path = place("default_max_attempts") if "default_max_attempts" in given else None
    yield policy.default_strategy, policy.default_max_attempts, default_strategy_path, default_attempts_path
    rules: list[tuple[Path, Strategy | None, int | None]] = [
        ((*path, "on_status_codes", number), rule.strategy, rule.max_attempts)
        for number, rule in enumerate(policy.on_status_codes)
    ]
    if policy.on_timeout is not None:
        rules.append(((*path, "on_timeout"), policy.on_timeout.strategy, policy.on_timeout.max_attempts))
    for here, strategy, attempts in rules:
        if strategy is None and attempts is None:
            continue  # As the default, which was looked at.
        yield (
            strategy or policy.default_strategy,
            attempts or policy.default_max_attempts,
            (*here, "strategy") if strategy else here,
            (*here, "max_attempts") if attempts else None,
        )


def _targets(policy: RetryPolicy, config: PlanoConfig, owner: ModelProvider, strategy: Strategy) -> set[str]:
    """The channels that can follow: those of the list, and the others that the strategy allows."""
    listed = set(policy.fallback_models)
    others: Iterable[ModelProvider] = (
        provider
        for provider in config.model_providers
        if provider.model != owner.model
        and (policy.fallback_scope == "all_providers" or provider.model in listed or provider.name in listed)
    )
    # Compared with the channel that just failed: with several channels, a chain may come back to a prefix.
    candidates = list(others)
    if strategy == "same_provider":
        return {provider.model for provider in candidates if provider.prefix == owner.prefix}
    if all(provider.prefix == owner.prefix for provider in candidates):
        return set()
    return {provider.model for provider in candidates}
