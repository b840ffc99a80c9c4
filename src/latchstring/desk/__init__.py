# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk: a member's encrypted vault, letters opened, replies placed, keys made and erased on time."""
