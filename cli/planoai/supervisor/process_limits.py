"""What the supervisor sets for itself and thereby for every process that it starts."""

import os
import sys
from contextlib import suppress

if sys.platform != "win32":
    import resource

#: More would only make programs slow that close every possible descriptor.
_MOST_FILES = 1_048_576


def prepare_process() -> None:
    """Files are private to their owner, and as many may be open as the hard limit allows.

    The usual soft limit of 1024 is used up by some 400 streams: each takes a connection on either side of Envoy.
    """
    os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    # macOS refuses values above its OPEN_MAX even when the hard limit is infinite.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
