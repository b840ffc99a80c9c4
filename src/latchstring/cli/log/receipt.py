# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring log receipt: was the promise kept?"""

from pathlib import Path
from typing import Annotated, Final

import typer

from latchstring.cli import ui
from latchstring.cli.addresses import Proxy, Tor
from latchstring.cli.log.reading import (
    DoorOption,
    Json,
    Vkey,
    Where,
    door_name,
    log_key,
    need_whole,
    opened,
    whole_log,
)
from latchstring.log.mirror import at_one_moment
from latchstring.log.receipts import Judged, Verdict, judge
from latchstring.protocol.encoding import ProtocolError

EXAMPLE: Final = "Example: latchstring log receipt letter.receipt http://ADDRESS.onion --tor"


def receipt(
    file: Annotated[Path, typer.Argument(help="A kept receipt, from 'source write --keep-receipt'.")],
    where: Where,
    vkey: Vkey = None,
    door: DoorOption = None,
    tor: Tor = False,
    proxy: Proxy = None,
    as_json: Json = False,
) -> None:
    """Check a kept receipt against the published log: kept, not due yet, or broken. Exit status 3 when it is broken.

    The whole log is read and verified, so that nobody learns which letter it is about.
    """
    try:
        raw = file.read_bytes()
    except OSError:
        ui.fail(f"'{file.name}' cannot be read.", "Check the name and that you may read it.")
    name = door_name(door)
    with opened(where, tor, proxy) as now:
        log, fault = whole_log(at_one_moment(now), log_key(vkey, where), name, "Reading and verifying the log")
    need_whole(fault)
    try:
        judged = judge(raw, log)
    except ProtocolError as error:
        ui.fail(
            f"It proves nothing here: {error}.", "Check the file, and that the address is the door's.", ui.FOUND_WRONG
        )
    value = {
        "verdict": judged.verdict.name.lower(),
        "leaf": judged.receipt.leaf.hex(),
        "publish_by": judged.receipt.publish_by,
        "newest": judged.newest,
        "index": judged.index,
        "batch": judged.batch,
    }
    ui.emit(as_json, value, lambda: _human(judged))
    raise typer.Exit(ui.FOUND_WRONG if judged.verdict in (Verdict.LATE, Verdict.MISSING) else 0)


def _human(judged: Judged) -> None:
    by = judged.receipt.publish_by
    if judged.verdict is Verdict.KEPT:
        ui.show(f"Kept: the letter is entry {judged.index}, in batch {judged.batch}; it was promised by {by}.", "green")
        ui.show("The receipt has done its work. Having it is evidence that you were here: destroy it.")
    elif judged.verdict is Verdict.NOT_DUE:
        ui.show(f"Not due yet: promised by batch {by}, and the newest is {judged.newest}. Look again later.")
    else:
        what = (
            "the letter is not in the log"
            if judged.verdict is Verdict.MISSING
            else f"the letter was logged in batch {judged.batch}, later than the promise"
        )
        ui.show(f"BROKEN: {what}. It was promised by batch {by}, and batch {judged.due} has come.", "bold red")
        ui.show("What proves it to anyone: this receipt, which the server signed, and the log, which it signed too.")
        ui.show(
            "Keep a copy of the log: latchstring log mirror ADDRESS FOLDER. Then anyone can run this command on it."
        )
        ui.show(
            "Whoever sees the receipt knows that its holder wrote. Show it through somebody you trust, or not at all."
        )
