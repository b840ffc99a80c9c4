# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root keys, the directory as a readable file, the door's card."""
