# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signals that end a block: once, with what it cleans up, and only where they are not ignored."""

import os
import signal
from collections.abc import Callable

import pytest

from latchstring.cli.ending import Ended, unwinding

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])


def ended(number: signal.Signals, then: Callable[[], None]) -> None:
    with unwinding():
        try:
            os.kill(os.getpid(), number)
        finally:
            then()


@BOTH
def test_it_unwinds_and_a_further_one_does_not_cut_that_short(number: signal.Signals) -> None:
    done = []

    def more() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        done.append("removed")

    with pytest.raises(Ended) as told:
        ended(number, more)
    assert done == ["removed"]
    assert told.value.status == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_what_fails_on_the_way_out_changes_nothing() -> None:
    """As words for a terminal that is gone."""

    def fail() -> None:
        raise OSError

    with pytest.raises(Ended):
        ended(signal.SIGHUP, fail)


def test_other_errors_are_themselves() -> None:
    with pytest.raises(OSError, match="full"), unwinding():
        raise OSError("full")


@BOTH
def test_one_that_is_ignored_stays_so(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with unwinding():
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
