"""What children inherit."""

import subprocess
import sys

PROGRAM = """
import os, resource
from planoai.supervisor.process_limits import prepare_process
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
prepare_process()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256 or hard <= 256, os.umask(0) == 0o077)
"""


def test_many_files_and_private_ones() -> None:
    """The soft limit is raised, new files are private."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "True True\n" == done.stdout
