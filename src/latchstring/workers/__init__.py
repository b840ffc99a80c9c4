# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the processes that answer requests have in common, whoever they answer for. Knows no other room."""
