# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong at the organisation's desk, in its words."""


class OrgError(Exception):
    """Something cannot be used as it is. The text says what to do."""
