# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sample letters and answers, all invented, in English, Russian and Ukrainian."""
