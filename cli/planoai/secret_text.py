"""Whether a text looks as if it held a secret: a key, a password, a token. Pure.

Errs on the side of caution: what is taken for a secret is merely not used.
"""

import itertools
import re

_PATTERNS = re.compile(
    r"""
      \b(?:sk|pk|rk|ak|api|key|tok|pat|glpat|hf|gsk|xai|npm|pypi|shpat|dop_v1|SG)[-_.][A-Za-z0-9_\-.]{16,}
    | \bgh[opsur]_[A-Za-z0-9]{16,} | \bgithub_pat_\w{16,}
    | \b(?:AKIA|ASIA|AIza|ya29\.)[A-Za-z0-9_\-]{12,}
    | \bxox[a-z]-[A-Za-z0-9-]{10,}
    | \beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}          # a JSON Web Token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    | \b(?:bearer|basic)\s+[A-Za-z0-9+/=_\-.]{16,}
    | ://[^\s/:@]*:[^\s/@]{3,}@                            # a user and a password in a URL
    | (?:password|passwd|passphrase|pwd|secret|token|api[_\ -]?key|access[_\ -]?key|credentials?|密码|口令|密钥|令牌)
      ["']?\s*(?:[:=:]|\bis\b|是|为)+\s*["']?(?!(?:\$|<|\{\{|\*{3}|x{3}|null\b|none\b|true\b|false\b|your))[^\s"',;]{6,}
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: Characters of keys without a form of their own. A path is none.
_RUN = re.compile(r"[A-Za-z0-9+=_\-]{24,}")
_LEAST_CHANGES = 6


def looks_secret(text: str) -> bool:
    """Whether something in the text looks like a key, a password or a token."""
    return _PATTERNS.search(text) is not None or any(_is_random(run) for run in _RUN.findall(text))


def _is_random(run: str) -> bool:
    """Whether letters and digits alternate as they do in keys, and not in words that are joined."""
    kinds = ["d" if each.isdigit() else "u" if each.isupper() else "l" for each in run if each.isalnum()]
    if "d" not in kinds or len(set(kinds)) < 2:
        return False
    changes = sum(before != after for before, after in itertools.pairwise(kinds))
    return changes >= _LEAST_CHANGES
