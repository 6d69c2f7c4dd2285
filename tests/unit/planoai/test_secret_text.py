"""planoai.secret_text: what is taken for a secret."""

import pytest

from planoai.secret_text import looks_secret


@pytest.mark.parametrize(
    "text",
    [
        "use sk-" + "proj-abcdefghijklmnopqrstuvwx",
        "clone with ghp_" + "abcdefghijklmnopqrstuvwxyz0123",
        "AKIA" + "IOSFODNN7EXAMPLE is the id",
        "hook: xoxb-" + "1234567890-abc",
        "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln",
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        "Authorization: Bearer " + "abcdefghijklmnop1234",
        "psql postgres://bob:hunter22@db/x",
        "my password is hunter22",
        'PASSWORD="correct-horse"',
        "数据库密码是 hunter22x",
        "密码:hunter22x",
        "the value a8f3K2m9Qx7Lp0Zr4Tn6Vb1C fails",
    ],
)
def test_secrets(text: str) -> None:
    """Forms of providers, private keys, credentials in URLs, words that announce a password, and plain randomness."""
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "write a function that validates passwords",
        "what is a bearer token?",
        "password: $DB_PASSWORD does not work",
        'api_key: "your-key-here"',
        "rename get_user_by_email_address_or_phone_number",
        "see src/components/settings/ProfilePictureUploader.tsx",
        "open https://example.com/blog/2024/05/a-long-title-of-a-post",
        "解释一下密码学的基础",
        "ValueError: invalid literal for int() with base 10: '3.5'",
        "",
    ],
)
def test_no_secrets(text: str) -> None:
    """Talk about secrets, references, placeholders, long names, paths and addresses."""
    assert not looks_secret(text)
