# SPDX-License-Identifier: AGPL-3.0-or-later
"""The figures, each beside its peer or limit in the same run: `python -m bench [NAME] [--quick] [--json]`."""
