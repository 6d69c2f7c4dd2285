"""The built-in providers: where each is reached, which protocol it speaks, and how it wants its key."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

#: The protocol of the requests that a provider takes.
Interface = Literal["openai", "anthropic", "openai_responses"]

#: The request header that carries the key: `Authorization: Bearer KEY`, `x-api-key: KEY`, or `api-key: KEY`.
AuthForm = Literal["bearer", "x-api-key", "api-key"]


@dataclass(frozen=True)
class BuiltinProvider:
    """What is known about a provider without being told in config.yaml."""

    #: The first part of `prefix/model`, and a value of `provider_interface`.
    prefix: str
    #: Scheme and host, without a path; None when every user has another one, so that `base_url` is mandatory.
    base_url: str | None
    #: What stands between the host and `/chat/completions` when `base_url` has no path of its own.
    path_prefix: str = "/v1"
    interface: Interface = "openai"
    auth: AuthForm = "bearer"
    #: False where requests without a key are normal (models on the user's own machines).
    needs_key: bool = True

    @property
    def needs_base_url(self) -> bool:
        """True when config.yaml must say where this provider is."""
        return self.base_url is None


_TABLE = (
    BuiltinProvider("openai", "https://api.openai.com"),
    # The same servers, asked in the Responses protocol.
    BuiltinProvider("openai_responses", "https://api.openai.com", interface="openai_responses"),
    BuiltinProvider("anthropic", "https://api.anthropic.com", interface="anthropic", auth="x-api-key"),
    BuiltinProvider("deepseek", "https://api.deepseek.com"),
    BuiltinProvider("groq", "https://api.groq.com", path_prefix="/openai/v1"),
    BuiltinProvider("mistral", "https://api.mistral.ai"),
    BuiltinProvider("xiaomi", "https://api.xiaomimimo.com"),
    BuiltinProvider("gemini", "https://generativelanguage.googleapis.com", path_prefix="/v1beta/openai"),
    BuiltinProvider("together_ai", "https://api.together.xyz"),
    BuiltinProvider("xai", "https://api.x.ai"),
    BuiltinProvider("moonshotai", "https://api.moonshot.ai"),
    BuiltinProvider("zhipu", "https://open.bigmodel.cn", path_prefix="/api/paas/v4"),
    # Codex with a ChatGPT login: the token comes from the client (`passthrough_auth`).
    BuiltinProvider("chatgpt", "https://chatgpt.com", path_prefix="/backend-api/codex", interface="openai_responses"),
    BuiltinProvider("digitalocean", "https://inference.do-ai.run"),
    BuiltinProvider("vercel", "https://ai-gateway.vercel.sh"),
    BuiltinProvider("openrouter", "https://openrouter.ai", path_prefix="/api/v1"),
    BuiltinProvider("edenai", "https://api.edenai.run", path_prefix="/v3"),
    BuiltinProvider("perplexity", "https://api.perplexity.ai", path_prefix=""),
    # The version-less API: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    BuiltinProvider("azure_openai", None, path_prefix="/openai/v1", auth="api-key"),
    # Bedrock's own OpenAI-compatible endpoint, with a Bedrock API key.
    BuiltinProvider("amazon_bedrock", None, path_prefix="/openai/v1"),
    BuiltinProvider("qwen", None, path_prefix="/compatible-mode/v1"),
    BuiltinProvider("ollama", None, needs_key=False),
    BuiltinProvider("plano", None, needs_key=False),
)

#: Every built-in provider by its prefix.
BUILTIN_PROVIDERS: Mapping[str, BuiltinProvider] = MappingProxyType({row.prefix: row for row in _TABLE})


def lookup(prefix: str) -> BuiltinProvider | None:
    """The built-in provider of that prefix, None when the prefix is the user's own invention."""
    return BUILTIN_PROVIDERS.get(prefix)
