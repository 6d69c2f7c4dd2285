"""plano_router.boilerplate: the words of the user, and agents' own requests."""

import pytest

from plano_router.boilerplate import is_housekeeping, strip_boilerplate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ("<system-reminder>\nbe good\n</system-reminder>\nfix the tests", "fix the tests"),
        ("fix it\n<system-reminder>never closed", "fix it"),
        ("<env>cwd: /x</env>run it", "run it"),
        ("<environment_context>\n<cwd>/x</cwd>\n</environment_context>", ""),
        ("<task>\nadd a test\n</task>\n<environment_details>\n# Files\na.py\n</environment_details>", "add a test"),
        ("# AGENTS.md instructions for /x\n\n<INSTRUCTIONS>\nuse tabs\n</INSTRUCTIONS>", ""),
        ("[Telegram Ann 2026-01-31 10:11 UTC] hello", "hello"),
        ("<user_query>why?</user_query>", "why?"),
        ("a < b and b > c", "a < b and b > c"),
        ("make <b>bold</b> work", "make <b>bold</b> work"),
    ],
)
def test_what_agents_wrap_around(text: str, expected: str) -> None:
    """Context goes, tags around the words go, the words stay."""
    assert expected == strip_boilerplate(text)


def test_attached_files_stay_as_blocks() -> None:
    """What is attached says something about the intent; `trim` cuts it."""
    assert 'see \n```\npath="a.py"\nx = 1\n```' == strip_boilerplate('see <file path="a.py">\nx = 1\n</file>')


@pytest.mark.parametrize(
    ("system", "newest"),
    [
        ("Generate a concise title for this conversation.", "how do I centre a div"),
        ("Analyze if this message indicates a new conversation topic. ... isNewTopic", "hi"),
        ("", "Summarize this conversation so far in under 50 characters"),
        ("", "Your task is to create a detailed summary of the conversation so far, paying attention to files."),
        ("", "### Task:\nGenerate a 3-5 word title for the chat.\n<chat_history>\nUSER: hi\n</chat_history>"),
        ("", "You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary."),
        ("", "请为以上对话生成一个简短的标题"),
        ("", "请总结到目前为止的对话"),
    ],
)
def test_agents_own_requests(system: str, newest: str) -> None:
    """Titles, topics, summaries."""
    assert is_housekeeping(system, newest)


@pytest.mark.parametrize(
    "newest",
    [
        "write a function that generates a title for a page",
        "summarize this article: the council met on Tuesday",
        "add a title field to the conversation model",
        "give me a summary of the meeting below",
        "给这篇文章起个标题",
    ],
)
def test_peoples_requests(newest: str) -> None:
    """What looks alike and is somebody's own."""
    assert not is_housekeeping("You are a coding agent.", newest)


@pytest.mark.parametrize(
    "text",
    [
        "[read_file for 'src/a.ts'] Result:\n1 | const x = 1",
        "[search_files for 'ListView' in 'lib'] Result:\nlib/feed.dart",
        "[execute_command] Result:\nok",
        "[browser_action launch] Result:\nConsole: Uncaught TypeError: a is null",
        "[ERROR] You did not use a tool in your previous response! Please retry with a tool use.",
    ],
)
def test_results_of_tools_in_the_users_name(text: str) -> None:
    """Are not the user's words; what the user thinks of them is."""
    assert "" == strip_boilerplate(text)
    assert "no, the other file" == strip_boilerplate(f"{text}\n<feedback>\nno, the other file\n</feedback>")


@pytest.mark.parametrize(
    "text",
    [
        "[Slack #oncall thread, from Deniz] is it down?",
        "[飞书 值班群 小周] is it down?",
        "<context>\nThe current date is 2026-01-12.\n</context>\nis it down?",
        "<uploaded_files>\n/testbed\n</uploaded_files>\nis it down?",
        "<additional_data>\n<current_file>\nPath: a.py\n</current_file>\n</additional_data>\n"
        "<user_query>is it down?</user_query>",
    ],
)
def test_what_editors_and_chats_add(text: str) -> None:
    """Goes; a remark in brackets stays."""
    assert "is it down?" == strip_boilerplate(text)
    assert "[urgent] is it down?" == strip_boilerplate("[urgent] is it down?")


@pytest.mark.parametrize("tag", ["context", "env", "rules", "memory", "tools"])
def test_common_words_in_angle_brackets(tag: str) -> None:
    """Without an end they are the user's; agents' own tags may be cut off."""
    text = f"why does <{tag}> not work in my template"
    assert text == strip_boilerplate(text)
    assert "fix it" == strip_boilerplate(f"<{tag}>\nnoise\n</{tag}>\nfix it")
    assert "fix it" == strip_boilerplate("fix it\n<environment_details>\n# cut o")
