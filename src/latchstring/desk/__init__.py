# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member's side: the vault, synchronising, epochs and erasure, letters and replies."""
