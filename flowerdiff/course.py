"""The course's folder, from wherever in it a lesson runs."""

from pathlib import Path


def course_file(path: str) -> Path:
    """A file or folder of the course, such as "docs/results/guidance.json".

    Looked for in the folder where the program runs and in those above it: a lesson runs in
    `notebooks` or `notebooks/solutions`, and the library may be installed elsewhere. Raises
    FileNotFoundError that says what to do.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / path).exists():
            return folder / path
    raise FileNotFoundError(
        f"{path} is neither in {here} nor above it: open the notebook in the course's own folder, "
        "where the others lie"
    )
