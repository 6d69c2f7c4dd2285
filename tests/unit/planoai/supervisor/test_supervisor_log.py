"""supervisor.log."""

import re

from planoai.home import PlanoHome
from planoai.supervisor.supervisor_log import open_supervisor_log, supervisor_log_path


def test_lines_private_and_after_a_rotation(home: PlanoHome) -> None:
    """Time, level, message; 0600; a renamed log is followed by a new one."""
    path = supervisor_log_path(home)
    log = open_supervisor_log(home)
    log.info("envoy: started, pid %d", 7)

    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[INFO\] envoy: started, pid 7\n", path.read_text())
    assert 0o600 == path.stat().st_mode & 0o777
    path.rename(path.with_name("supervisor.log.1"))
    log.warning("next")
    assert path.read_text().endswith("[WARNING] next\n")
