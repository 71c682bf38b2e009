"""A pytest plugin for `make test-notebooks`: how long each notebook took, to keep lessons short."""

from collections import defaultdict

_seconds = defaultdict(float)


def pytest_runtest_logreport(report):
    notebook = report.nodeid.partition("::")[0]
    if notebook.endswith(".ipynb"):
        _seconds[notebook] += report.duration


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("wall time per notebook")
    for notebook, seconds in _seconds.items():
        terminalreporter.write_line(f"{seconds:6.1f} s  {notebook}")
