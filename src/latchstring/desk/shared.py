# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of facts that this version knows: a row a kind, from the module of its subject."""

from typing import Final

from latchstring.desk.facts import FactKinds

FACT_KINDS: Final[FactKinds] = {}
