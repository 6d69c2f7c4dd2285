"""The official `openai` SDK against the gateway: sync, async, streams, tools, images, embeddings, models, errors."""

from collections.abc import AsyncIterator, Callable, Iterator

import openai
import pytest

from planoai.simulator import Behaviour, Rule, ThreadedSimulator
from support import RunningGateway

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: custom/gpt-5.4, base_url: "PROVIDER", access_key: sk-one, default: true}
  - {model: custom/text-embedding-3-small, base_url: "PROVIDER", access_key: sk-two}
"""


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """One chat model and one for embeddings, no retry policy."""
    return start_gateway(CONFIG.replace("PROVIDER", provider.url))


@pytest.fixture(params=["", "/v1"], ids=["without-v1", "with-v1"])
def client(gateway: RunningGateway, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    """With both spellings of the base URL, and a key that means nothing."""
    with openai.OpenAI(base_url=gateway.url + request.param, api_key="anything", max_retries=0) as each:
        yield each


@pytest.fixture
async def async_client(gateway: RunningGateway) -> AsyncIterator[openai.AsyncOpenAI]:
    """The asynchronous client."""
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="anything", max_retries=0) as each:
        yield each


MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
TOOLS: list[openai.types.chat.ChatCompletionToolUnionParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def test_chat(client: openai.OpenAI) -> None:
    """A plain completion, and the headers that say who answered."""
    answer = client.chat.completions.with_raw_response.create(model="custom/gpt-5.4", messages=MESSAGES)
    assert answer.headers["x-plano-model"] == "custom/gpt-5.4"
    assert answer.parse().choices[0].message.content == "gpt-5.4 was asked: Hello!"


def test_stream(client: openai.OpenAI, provider: ThreadedSimulator) -> None:
    """Every chunk arrives, in order, with the usage that was asked for."""
    provider.set_rules([Rule(behaviours=[Behaviour(chunks=50, chunk_bytes=7)])])
    stream = client.chat.completions.create(
        model="custom/gpt-5.4", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(text) == 50
    assert [c.usage is not None for c in chunks] == [False] * (len(chunks) - 1) + [True]


async def test_async_chat_and_stream(async_client: openai.AsyncOpenAI) -> None:
    """The asynchronous client sees the same."""
    answer = await async_client.chat.completions.create(model="custom/gpt-5.4", messages=MESSAGES)
    stream = await async_client.chat.completions.create(model="custom/gpt-5.4", messages=MESSAGES, stream=True)
    streamed = "".join([c.choices[0].delta.content or "" async for c in stream])
    assert streamed.startswith(str(answer.choices[0].message.content))


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: openai.OpenAI, provider: ThreadedSimulator, *, stream: bool) -> None:
    """Definitions go out, calls come back, streamed or not."""
    if stream:
        with client.chat.completions.stream(
            model="custom/gpt-5.4", messages=MESSAGES, tools=TOOLS, tool_choice="required"
        ) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(
            model="custom/gpt-5.4", messages=MESSAGES, tools=TOOLS, tool_choice="required"
        ).choices[0].message  # fmt: skip
    assert message.tool_calls is not None
    assert [call.function.name for call in message.tool_calls if call.type == "function"] == ["get_weather"]
    assert provider.requests[0].json()["tools"] == TOOLS


def test_images(client: openai.OpenAI, provider: ThreadedSimulator) -> None:
    """Image parts reach the provider as they are."""
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo=" * 1000}},
    ]
    client.chat.completions.create(model="custom/gpt-5.4", messages=[{"role": "user", "content": parts}])  # type: ignore[list-item, misc]
    assert provider.requests[0].json()["messages"][0]["content"] == parts


def test_fields_that_we_do_not_know(client: openai.OpenAI, provider: ThreadedSimulator) -> None:
    """What a provider invents tomorrow passes today."""
    client.chat.completions.create(
        model="custom/gpt-5.4", messages=MESSAGES, extra_body={"brand_new": {"x": [1, None]}}, reasoning_effort="high"
    )
    sent = provider.requests[0].json()
    assert (sent["brand_new"], sent["reasoning_effort"]) == ({"x": [1, None]}, "high")


def test_embeddings(client: openai.OpenAI) -> None:
    """Vectors, in the base64 form that the SDK asks for by itself."""
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [each.index for each in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) > 1


def test_models(client: openai.OpenAI) -> None:
    """The list, and each one by its id."""
    ids = [each.id for each in client.models.list()]
    assert ids == ["custom/gpt-5.4", "custom/text-embedding-3-small"]
    assert [client.models.retrieve(each).id for each in ids] == ids


def test_responses(client: openai.OpenAI) -> None:
    """The Responses API of a provider that has it is passed through."""
    assert client.responses.create(model="custom/gpt-5.4", input="Hello!").output_text.endswith("Hello!")


def test_unknown_model_goes_to_the_default_channel(client: openai.OpenAI) -> None:
    """An agent's built-in model name is no reason to fail when there is a default channel."""
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES)
    assert answer.headers["x-plano-model"] == "custom/gpt-5.4"
    assert answer.headers["x-plano-requested-model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_errors_of_the_provider(
    client: openai.OpenAI, provider: ThreadedSimulator, status: int, error: type[openai.APIStatusError]
) -> None:
    """Without a policy the provider's own error comes through: status, body and Retry-After."""
    body = {"error": {"message": "from the provider", "type": "t", "param": None, "code": "c"}}
    provider.set_rules([Rule(behaviours=[Behaviour(status=status, headers={"retry-after": "7"}, body=body)])])
    with pytest.raises(error) as caught:
        client.chat.completions.create(model="custom/gpt-5.4", messages=MESSAGES)
    assert caught.value.body == body["error"]
    assert caught.value.response.headers["retry-after"] == "7"
    assert len(provider.requests) == 1


def test_an_error_of_ours(client: openai.OpenAI) -> None:
    """Our errors parse as the SDK's own exceptions, with a code to act on."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=5, messages=MESSAGES)  # type: ignore[call-overload]
    assert (caught.value.code, caught.value.param) == ("invalid_type", "model")
