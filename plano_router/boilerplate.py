"""What agents and chat applications wrap around a user's words, and the requests that they send on their own. Pure.

The tags are those that the agents use in what they send: Claude Code, Codex, Cline and its kin, OpenClaw, Open WebUI.
"""

import re

#: With everything inside: context that the agent adds to each turn.
_DROPPED_BLOCKS = (
    "system-reminder",
    "user-prompt-submit-hook",
    "env",
    "environment_context",
    "environment_details",
    "user_instructions",
    "permissions instructions",
    "collaboration_mode",
    "skills_instructions",
    "INSTRUCTIONS",
    "local-command-stdout",
    "local-command-stderr",
    "local-command-caveat",
    "command-message",
    "bash-stdout",
    "bash-stderr",
    "ide_opened_file",
    "ide_diagnostics",
    "new-diagnostics",
    "workspace_info",
    "environment_info",
    "editor_context",
    "reminderInstructions",
    "repository_overview",
    "project_layout",
    "git_status",
    "open_and_recently_viewed_files",
    "user_info",
    "rules",
    "memory",
    "tools",
    "tool_definitions",
    "available_tools",
    "context",
    "current_file",
    "uploaded_files",
    "browser_state",
    "agent_history",
)
#: Words that people write in angle brackets, too: without an end, such a tag is theirs ("what does <context> do").
_COMMON_WORDS = frozenset({"context", "env", "rules", "memory", "tools"})


def _or_the_end(tag: str) -> str:
    """What agents cut off in the middle has no closing tag."""
    return "" if tag in _COMMON_WORDS else r"|\Z"


_DROPPED = re.compile(
    "|".join(
        rf"<{re.escape(tag)}(?:\s[^>]*)?>.*?(?:</{re.escape(tag.split()[0])}[^>]*>{_or_the_end(tag)})"
        for tag in _DROPPED_BLOCKS
    ),
    re.DOTALL,
)
#: Only the tags go; what they hold is the user's.
_UNWRAPPED = re.compile(
    r"</?(?:task|user_query|userRequest|user_message|user_request|feedback|answer|request|prompt|query|command-name"
    r"|command-args|bash-input|message|attachments|additional_data|attached_files|pr_description|issue_description"
    r"|problem_statement|issue)(?:\s[^>]*)?>"
)
#: Files that were attached: that there is one, and its beginning and end, is left to `trim`.
_ATTACHED = re.compile(
    r"<(file_content|file|document|attachment|attached_file|file_contents|ide_selection|selection|terminal_selection"
    r"|git_diff|linter_errors|url_content)\b([^>]*)>(.*?)</\1>",
    re.DOTALL,
)
#: Codex puts AGENTS.md before the first turn, under this heading.
_AGENTS_MD = re.compile(r"\A\s*# AGENTS\.md instructions\b.*\Z", re.DOTALL)
#: OpenClaw and chat bridges date each turn: "[Telegram Ann 2026-01-31 10:11 UTC] hello".
_STAMP = re.compile(
    r"\A\s*\[(?:[^\]\n]{0,80}\d{1,2}:\d{2}[^\]\n]{0,40}"
    r"|(?:Telegram|WhatsApp|Slack|Discord|Signal|iMessage|Teams|Matrix|Feishu|飞书|DingTalk|钉钉|WeChat|微信|WeCom|企业微信)"
    r"\b[^\]\n]{0,80})\]\s*"
)
#: Cline and its kin send the results of tools as if the user had said them, and remind the model of its tools.
_RESULT = re.compile(r"\A\s*\[\w+(?: [^\n]*)?\] Result:|\A\s*\[ERROR\] You did not use a tool")
_FEEDBACK = re.compile(r"<feedback>(.*?)(?:</feedback>|\Z)", re.DOTALL)
_CACHE_NOTE = re.compile(r"\[(?:Request interrupted by user[^\]]*|Image #\d+|message_id:[^\]]*)\]")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


def strip_boilerplate(text: str) -> str:
    """The words of the user."""
    if _RESULT.search(text):
        # Beside a result there may be what the user thinks of it.
        text = "\n".join(_FEEDBACK.findall(text))
    if "<" in text:
        text = _DROPPED.sub("", text)
        text = _ATTACHED.sub(lambda found: f"\n```\n{found.group(2).strip()}\n{found.group(3).strip()}\n```\n", text)
        text = _UNWRAPPED.sub("", text)
    if "AGENTS.md" in text[:200]:
        text = _AGENTS_MD.sub("", text)
    text = _STAMP.sub("", text)
    text = _CACHE_NOTE.sub("", text)
    return _BLANK_LINES.sub("\n\n", text).strip()


_WHAT = r"(?:conversation|chat|session|thread|dialog(?:ue)?|discussion|exchange|coding task|messages?)"
_MAKE = (
    r"(?:generate|create|write|produce|come up with|give|provide|suggest|summari[sz]e|extract|make|return|name"
    r"|analy[sz]e)"
)
#: In system prompts and turns of agents' own requests. Each names the artefact and what it is made from.
_HOUSEKEEPING = re.compile(
    "|".join(
        (
            rf"{_MAKE}\b[^.\n]{{0,80}}\b(?:title|titles|topic|tags|branch name|headline|label|slug)\b"
            rf"[^.]{{0,120}}\b{_WHAT}",
            rf"\b{_WHAT}\b[^.\n]{{0,80}}\b(?:title|topic|tags)\b[^\n]{{0,60}}"
            r"\b(?:words?|characters?|concise|short|json)\b",
            r"isNewTopic",
            r"(?:detailed|concise|brief|comprehensive|structured|thorough|handoff)\s+(?:technical\s+)?summary\s+of\s+"
            rf"(?:the|this|our)\s+(?:above\s+|entire\s+|whole\s+)?{_WHAT}",
            r"summari[sz]e\s+(?:the|this|our)\s+(?:entire\s+|whole\s+|above\s+|following\s+)?(?:coding\s+)?"
            rf"{_WHAT}\s+(?:so far|above|history|below|in|up to|for|to)",
            r"context checkpoint compaction|compact(?:ing)? the conversation",
            r"context[- ]window (?:is|was) (?:almost )?(?:full|exceeded)",
            r"suggest\s+\d[-–\d]*\s+(?:relevant\s+)?follow-?up\s+(?:questions|prompts)",
            r"(?:生成|起|取|拟|总结|写)[^。\n]{0,30}(?:标题|题目|主题)[^。\n]{0,40}(?:对话|会话|聊天)",
            r"(?:对话|会话|聊天)[^。\n]{0,40}(?:标题|主题|标签)",
            r"(?:总结|压缩|概括)[^。\n]{0,20}(?:以上|上述|到目前为止|之前|此前|整个|本次)[^。\n]{0,10}(?:对话|会话|聊天)",
        )
    ),
    re.IGNORECASE,
)
#: An instruction of that kind stands at the beginning or the end; in the middle it is somebody's talk.
_ENDS = 1200
#: What people type is shorter and does not carry a transcript.
_TRANSCRIPT = re.compile(
    r"<(?:chat_history|conversation|transcript|session|history)\b"
    r"|^\[?(?:user|human|assistant|用户|助手)\]?\s*[::]"
    r"|so far|isNewTopic|checkpoint|compaction|\bJSON\b|以上|上述|到目前为止|整个",
    re.IGNORECASE | re.MULTILINE,
)


def is_housekeeping(system: str, newest: str) -> bool:
    """Whether an agent asks for a title, topic or summary of a conversation, for itself and not for its user."""
    if len(system) < 4 * _ENDS and _HOUSEKEEPING.search(system):
        return True
    ends = newest[:_ENDS] + "\n" + newest[-_ENDS:] if len(newest) > 2 * _ENDS else newest
    return _HOUSEKEEPING.search(ends) is not None and _TRANSCRIPT.search(newest) is not None
