# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be wrong at a witness."""


class WitnessError(Exception):
    """The witness cannot be used. The text says what to do, in the operator's words."""


class StateFailed(Exception):
    """What a witness saw last could not be kept or read now: nothing may be cosigned. It may be stored all the same."""
