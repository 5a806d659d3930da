"""Fixtures of the system tests.

stack          broker, gateway and one worker for one test
shared_stack   the same, started once for all tests of a file: for tests that break nothing
make_stack     starts stacks with other settings: make_stack(workers=2, settings={"app.name": "X"}); wait=False returns
               before they are ready, start=False before they are started

A file that wants other settings of its shared_stack names them in SHARED_SETTINGS.
"""

import pytest

from stack import Stack


def _end(stack, failed):
    if failed:
        print(stack.logs())
    try:
        stack.stop()
    except AssertionError:
        print(stack.logs())
        raise
    finally:
        stack.remove()


def _failed(request):
    report = getattr(request.node, "report_call", None)
    return report is None or report.failed


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when == "call":
        item.report_call = report
    shared = getattr(item, "funcargs", {}).get("shared_stack")
    if report.failed and shared is not None:
        report.sections.append(("processes", shared.logs()))


@pytest.fixture
def make_stack(request):
    stacks = []

    def make(workers=1, settings=None, wait=True, start=True):
        stack = Stack(workers, settings)
        stacks.append(stack)
        return stack.start(wait) if start else stack

    yield make
    problems = []
    for stack in stacks:
        try:
            _end(stack, _failed(request))
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, problems


@pytest.fixture
def stack(make_stack):
    return make_stack()


@pytest.fixture(scope="module")
def shared_stack(request):
    stack = Stack(settings=getattr(request.module, "SHARED_SETTINGS", None))
    try:
        stack.start()
    except Exception:
        print(stack.logs())
        for program in stack.programs.values():
            if program.running:
                program.kill()
        stack.remove()
        raise
    yield stack
    _end(stack, failed=False)
