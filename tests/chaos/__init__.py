# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers killed at every write and at random under load, and a check of what is left (`make chaos`)."""
