# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log: verify, prove, check-proof, receipt, mirror."""

import typer

from latchstring.cli.log import mirror, proofs, receipt, verify

app = typer.Typer(
    add_completion=False,
    help="Check, copy and prove from a door's public log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=proofs.PROVE_EXAMPLE)(proofs.prove)
app.command("check-proof", epilog=proofs.CHECK_EXAMPLE)(proofs.check_proof)
app.command(epilog=receipt.EXAMPLE)(receipt.receipt)
app.command(epilog=mirror.EXAMPLE)(mirror.mirror)
