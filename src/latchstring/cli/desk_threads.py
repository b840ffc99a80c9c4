# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring desk: withdraw a reply, link threads of one source."""

from typing import Annotated

import typer

from latchstring.cli import ui
from latchstring.cli.vaults import DEFAULT, Fd, Json, VaultFile, opened
from latchstring.desk.facts import At
from latchstring.desk.linking import link, unlink
from latchstring.desk.naming import find_reply
from latchstring.desk.progress import followed
from latchstring.desk.timeline import find_thread
from latchstring.desk.withdrawal import withdraw

app = typer.Typer(pretty_exceptions_enable=False)


@app.command("withdraw", epilog="Example: latchstring desk withdraw 5f0c19aa")
def withdraw_reply(
    reply: Annotated[str, typer.Argument(help="A reply's mark, as 'desk show' has it, or its beginning.")],
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Withdraw a reply: it is not placed again. What was published of it stays published."""
    with opened(vault, fd) as held:
        found = find_reply(held, reply)
        new = withdraw(held, found.id)

    def human() -> None:
        ui.show("Withdrawn." if new else "It was withdrawn before.", "green")
        if found.published:
            ui.show("It was published already: the source can read it for three weeks after that, or has read it.")
        else:
            ui.show("It was not published yet. The next sync takes it out of the coming pages: run it soon.")

    ui.emit(as_json, {"reply": found.id.hex(), "withdrawn": True, "published": found.published}, human)


@app.command("link", epilog="Example: latchstring desk link 1eb569dc 77aa01bc")
def link_threads(
    a: Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")],
    b: Annotated[str, typer.Argument(help="Another thread's.")],
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Say that two threads are of one source, who lost the words of the first, say. They are shown together.

    A reply still goes to the thread that you name: each opens with its own words.
    """
    with opened(vault, fd) as held:
        first, second = find_thread(held, a), find_thread(held, b)
        link(held, first.id, second.id, At(followed(held).batch, 4095, 4095))
    value = {"linked": [first.id.hex(), second.id.hex()]}
    ui.emit(as_json, value, lambda: ui.show(f"Threads {first.mark} and {second.mark} are shown together.", "green"))


@app.command("unlink", epilog="Example: latchstring desk unlink 77aa01bc")
def unlink_thread(
    thread: Annotated[str, typer.Argument(help="A thread's or a letter's mark, or its beginning.")],
    vault: VaultFile = DEFAULT,
    fd: Fd = None,
    as_json: Json = False,
) -> None:
    """Take a thread out of those that it is shown with."""
    with opened(vault, fd) as held:
        found = find_thread(held, thread)
        count = unlink(held, found.id, At(followed(held).batch, 4095, 4095))
    value = {"thread": found.id.hex(), "links": count}
    ui.emit(as_json, value, lambda: ui.show(f"Thread {found.mark} stands alone again.", "green"))
