# SPDX-License-Identifier: AGPL-3.0-or-later
"""The public log: RFC 6962 hashing, C2SP tiles and checkpoints, and the check of a whole log. Pure."""
