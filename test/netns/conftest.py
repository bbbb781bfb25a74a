"""Fixtures of the network tests.

`lab` is a Lab whose daemons must be healthy at the end of the test and stop in an orderly way. When
a test fails, daemon logs and session tables are attached to its report. Without root or the tools the
tests are skipped, or with CI set in the environment fail.
"""

import signal

import pytest

from lab import Lab


def pytest_configure(config):
    """Be ended by SIGTERM with all cleaning done, as by Ctrl-C."""
    del config
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


@pytest.fixture
def lab():
    made = Lab()
    try:
        yield made
    finally:
        made.close()


def lab_of(item):
    return getattr(item, "funcargs", {}).get("lab")


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item):
    """After the test's own code, if it passed: a sick daemon fails it."""
    made = lab_of(item)
    if made:
        made.finish()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Attach what the daemons have to say while they still live."""
    outcome = yield
    report = outcome.get_result()
    made = lab_of(item)
    if report.failed and made and call.when == "call":
        report.sections.append(("lab", made.describe()))
