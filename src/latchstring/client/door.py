# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetching `/visit` and checking it, for every client."""

from latchstring.client.pin import Pin
from latchstring.client.transport import NetworkFailed, Progress, Transport
from latchstring.client.visit import DoorCheck, VerifiedVisit, check_visit


def fetch_visit(
    transport: Transport, is_door: DoorCheck, now: int, pin: Pin | None, progress: Progress | None = None
) -> VerifiedVisit:
    """Download the whole file and verify it. NetworkFailed, VisitRefused or ClockOff otherwise."""
    answer = transport.request("GET", "/visit", progress=progress)
    if answer.status == 404:
        raise NetworkFailed("There is no door at this address yet. Check the address, or try again in a few minutes.")
    if answer.status != 200:
        raise NetworkFailed("The door cannot answer just now. Try again in a few minutes.")
    return check_visit(answer.body, is_door, now, pin)
