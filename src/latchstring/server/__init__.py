# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accepts letters, pages and notes, closes batches, publishes the log. Opens nothing."""
