"""What to change in a configuration whose clients would see failures. Pure."""

from collections.abc import Iterator, Mapping

from planoai.chaos.verdicts import Mark
from planoai.config import ModelProvider, PlanoConfig


def advice(config: PlanoConfig, marks: Mapping[str, Mapping[str, Mark]]) -> list[str]:
    """One sentence for each channel that could do better; `marks` by channel and kind of failure, the worse of two."""
    without = [each.model for each in config.model_providers if config.policy_of(each) is None]
    found: list[str] = []
    if without and len(config.model_providers) > 1:
        found.append(
            f"{_names(without)} {'has' if len(without) == 1 else 'have'} no retry_policy: every failure reaches the "
            "client. A `retry_policy` at the top level of the file holds for all channels without one of their own."
        )
    if len(config.model_providers) == 1:
        found.append("There is one channel: nobody can stand in for it. Add a second one, with another key.")
    for provider in config.model_providers:
        found += _of_channel(provider, config, marks.get(provider.model, {}))
    return found


def _names(models: list[str]) -> str:
    return models[0] if len(models) == 1 else f"{', '.join(models[:-1])} and {models[-1]}"


def _of_channel(provider: ModelProvider, config: PlanoConfig, marks: Mapping[str, Mark]) -> Iterator[str]:
    policy = config.policy_of(provider)
    if policy is None or len(config.model_providers) == 1:
        return
    if policy.default_max_attempts == 1:
        yield f"{provider.model}: `default_max_attempts: 1` allows no second attempt. Write 2 or more."
        return
    if policy.default_strategy == "same_model" and not policy.on_status_codes:
        yield (
            f"{provider.model}: `same_model` asks the same channel again, and no other one. "
            "`different_provider` goes on to the next."
        )
    elif marks.get("503") == "told":
        yield (
            f"{provider.model}: nobody follows it. Name channels in `fallback_models`, "
            "or choose a strategy that another channel fits."
        )
    if marks.get("slow-first-token") is None and provider.timeouts.first_token is None:
        return
    if marks.get("slow-first-token") == "told":
        yield f"{provider.model}: a stream without content in time is not given up. Look at `on_timeout`."
