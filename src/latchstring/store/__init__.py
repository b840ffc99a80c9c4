# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where bytes rest: SQL tables and published files. Knows no other room."""
