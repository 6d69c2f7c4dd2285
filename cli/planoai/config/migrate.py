"""Older forms of config.yaml, understood as they were: rewritten in memory to the current form, with a notice each.

Paths into the rewritten data are translated back, so that every later message points at what stands in the file.
"""

from dataclasses import dataclass, field
from typing import Any

from planoai.config.problems import Finding, Path
from planoai.config.schema import ACCEPTED_VERSIONS, CURRENT_VERSION, PlanoConfig, RoutingPreference

#: Keys of the former `egress_traffic` object that a listener still has.
_LEGACY_LISTENER_KEYS = ("address", "port", "timeout")


@dataclass
class Migration:
    """Data in the current form, and the way back to the file."""

    data: dict[str, Any] = field(repr=False)
    findings: list[Finding] = field(default_factory=list)
    _origins: dict[Path, Path] = field(default_factory=dict)

    def moved(self, new: Path, old: Path) -> None:
        """Note that what is at `new` stands in the file at `old` (a path in the terms before this move)."""
        self._origins[new] = self.to_file(old)

    def to_file(self, path: Path) -> Path:
        """The path in the file of what is at `path` in `data`."""
        for end in range(len(path), 0, -1):
            origin = self._origins.get(path[:end])
            if origin is not None:
                return origin + path[end:]
        return path


def migrate(data: dict[str, Any]) -> Migration:
    """The current form of `data`. Paths of the findings are those of the file. `data` itself is not changed."""
    migration = Migration(dict(data))
    _version(migration)
    _rename_at(migration, (), "llm_providers", "model_providers")
    _rename_at(migration, (), "retry", "retry_policy")
    _listeners(migration)
    providers = migration.data.get("model_providers")
    if isinstance(providers, list):
        migration.data["model_providers"] = [
            dict(provider) if isinstance(provider, dict) else provider for provider in providers
        ]
        for index in range(len(providers)):
            _rename_at(migration, ("model_providers", index), "retry", "retry_policy")
            _rename_at(migration, ("model_providers", index), "provider", "provider_interface")
    return migration


def _version(migration: Migration) -> None:
    if "version" not in migration.data:
        return
    version = migration.data["version"]
    migration.data["version"] = CURRENT_VERSION
    if not isinstance(version, str) or version not in ACCEPTED_VERSIONS:
        migration.findings.append(
            Finding(
                "error",
                ("version",),
                "is not a version of the file format",
                f"Write `version: {CURRENT_VERSION}`. Older files may say {', '.join(ACCEPTED_VERSIONS[:-1])}.",
            )
        )
    elif version != CURRENT_VERSION:
        migration.findings.append(
            Finding(
                "notice",
                ("version",),
                f"an older version of the file format, read as {CURRENT_VERSION}",
                f"Write `version: {CURRENT_VERSION}` when the other notices are dealt with.",
            )
        )


def _rename_at(migration: Migration, path: Path, old: str, new: str) -> None:
    holder: Any = migration.data
    for part in path:
        holder = holder[part]
    if not isinstance(holder, dict) or old not in holder:
        return
    value = holder.pop(old)
    at = migration.to_file((*path, old))
    if new in holder:
        migration.findings.append(
            Finding(
                "error",
                at,
                f"`{old}` and `{new}` are both given, and mean the same",
                f"Keep `{new}`.",
                at_key=True,
                show_value=False,
            )
        )
        return
    holder[new] = value
    migration.moved((*path, new), (*path, old))
    # `retry` is only another spelling; the others are names of the past.
    if old != "retry":
        migration.findings.append(
            Finding(
                "notice",
                at,
                f"`{old}` is the old name of `{new}`",
                f"Rename it to `{new}`.",
                at_key=True,
                show_value=False,
            )
        )


def _listeners(migration: Migration) -> None:
    """`listeners: {ingress_traffic: …, egress_traffic: …}` of the first versions."""
    listeners = migration.data.get("listeners")
    if not isinstance(listeners, dict) or not listeners.keys() & {"ingress_traffic", "egress_traffic"}:
        return
    del migration.data["listeners"]
    for key in listeners:
        if key == "ingress_traffic":
            migration.findings.append(
                Finding(
                    "notice",
                    ("listeners", key),
                    "has no effect: Plano is a gateway for models, and has no listener for prompts",
                    "Remove it.",
                    at_key=True,
                    show_value=False,
                )
            )
        elif key != "egress_traffic":
            migration.findings.append(
                Finding(
                    "error",
                    ("listeners", key),
                    f"unknown key `{key}`",
                    "Write `listeners` as a list of items with `type: model`, `name`, `address` and `port`.",
                    at_key=True,
                    show_value=False,
                )
            )
    egress = listeners.get("egress_traffic")
    if "egress_traffic" not in listeners:
        return
    migration.findings.append(
        Finding(
            "notice",
            ("listeners", "egress_traffic"),
            "the old form of a listener",
            "Write `listeners` as a list: `- type: model`, `name: egress_traffic`, `address`, `port`.",
            at_key=True,
            show_value=False,
        )
    )
    if isinstance(egress, dict):
        # `message_format` was `openai` always.
        egress = {"type": "model", "name": "egress_traffic"} | {
            key: value for key, value in egress.items() if key != "message_format"
        }
    elif egress is None:
        egress = {"type": "model", "name": "egress_traffic"}
    migration.data["listeners"] = [egress]
    migration.moved(("listeners", 0), ("listeners", "egress_traffic"))


def lift_inline_preferences(config: PlanoConfig) -> tuple[PlanoConfig, list[Finding]]:
    """Move routes written under providers to the top level.

    One route per name, its models in the order of the file; the first description counts. A route of that name at the
    top level wins over all of them.
    """
    findings: list[Finding] = []
    declared = {preference.name for preference in config.routing_preferences}
    lifted: dict[str, RoutingPreference] = {}
    for index, provider in enumerate(config.model_providers):
        path: Path = ("model_providers", index, "routing_preferences")
        if provider.is_wildcard:
            continue  # A mistake, told elsewhere.
        if provider.routing_preferences:
            findings.append(
                Finding(
                    "notice",
                    path,
                    "routes under a model are the old form; they were moved to `routing_preferences` at the top level",
                    f"Write them there, each with `models: [{provider.model}]`.",
                    at_key=True,
                    show_value=False,
                )
            )
        for number, inline in enumerate(provider.routing_preferences):
            if inline.name in declared:
                continue
            known = lifted.get(inline.name)
            if known is None:
                lifted[inline.name] = RoutingPreference(
                    name=inline.name, description=inline.description, models=(provider.model,)
                )
                continue
            if known.description != inline.description:
                findings.append(
                    Finding(
                        "warning",
                        (*path, number, "description"),
                        f"the route `{inline.name}` was described differently before; the first description counts",
                        "Give both the same description.",
                        show_value=False,
                    )
                )
            lifted[inline.name] = known.model_copy(update={"models": (*known.models, provider.model)})
    if not findings:
        return config, findings
    return (
        config.with_changes(
            model_providers=tuple(
                provider.model_copy(update={"routing_preferences": ()}) for provider in config.model_providers
            ),
            routing_preferences=(*config.routing_preferences, *lifted.values()),
        ),
        findings,
    )
