"""Regenerate brightstaff/pb from proto/. `--check` only says whether what is committed is current (exit 1 if not)."""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "brightstaff" / "pb"


def generate(into: Path) -> None:
    """Run protoc on every file of proto/, messages and type stubs only (services are registered by hand)."""
    sources = sorted(path.name for path in (ROOT / "proto").glob("*.proto"))
    well_known = files("grpc_tools") / "_proto"
    arguments = [
        f"--proto_path={ROOT / 'proto'}",
        f"--proto_path={well_known}",
        f"--python_out={into}",
        f"--pyi_out={into}",
    ]
    if protoc.main(["protoc", *arguments, *sources]) != 0:
        sys.exit("protoc failed, see above")


def main() -> None:
    """Generate, or compare with what is there."""
    if sys.argv[1:] != ["--check"]:
        generate(TARGET)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = [
            p.name
            for p in sorted(Path(scratch).iterdir())
            if not (TARGET / p.name).exists() or p.read_bytes() != (TARGET / p.name).read_bytes()
        ]
    if stale:
        sys.exit(f"brightstaff/pb is out of date ({', '.join(stale)}): run `make proto`")


if __name__ == "__main__":
    main()
