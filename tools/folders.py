"""Folders that a tool makes anew, without a loss of what somebody else put there."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def clear(folder: Path, mark: str) -> None:
    """Remove a folder that the tool made before: it has the file `mark`, or lies in build/.

    One that is empty or is not there is as good. Of any other, SystemExit.
    """
    folder = folder.resolve()
    made_here = folder.is_relative_to(ROOT / "build") or (folder / mark).is_file()
    full = folder.exists() and any(folder.iterdir())
    if ROOT.is_relative_to(folder) or (full and not made_here):
        raise SystemExit(f"{folder} holds other things than this tool's: name another folder")
    shutil.rmtree(folder, ignore_errors=True)
