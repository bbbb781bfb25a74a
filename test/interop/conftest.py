"""The fixtures and modules of test/netns, here too."""

import importlib.util
import os
import sys

NETNS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns")
sys.path.insert(0, NETNS)
spec = importlib.util.spec_from_file_location("netns_conftest", os.path.join(NETNS, "conftest.py"))
netns = importlib.util.module_from_spec(spec)
spec.loader.exec_module(netns)

lab = netns.lab
pytest_configure = netns.pytest_configure
pytest_runtest_call = netns.pytest_runtest_call
pytest_runtest_makereport = netns.pytest_runtest_makereport
