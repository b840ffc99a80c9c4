# SPDX-License-Identifier: AGPL-3.0-or-later
"""A witness: cosigns the checkpoints of logs, each a continuation of the one before, and nothing else."""
