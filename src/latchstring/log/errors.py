# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be wrong with a log."""


class LogError(ValueError):
    """Bytes of a log that are not what they must be. The text says what was expected, never the content."""


class NotDerivable(LogError):
    """The root at that size cannot be computed from the hashes at hand."""


class BadProof(LogError):
    """A proof that does not show what it should."""
