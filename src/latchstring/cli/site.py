# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring site: the pages for sources, on another machine than the store; the other commands have modules."""

import secrets
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from latchstring.cli import site_sign, site_verify, ui
from latchstring.cli.addresses import Proxy, Tor, through
from latchstring.cli.serving import SETTINGS, Pages, alone
from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.protocol.doorwords import parse_link
from latchstring.protocol.encoding import ProtocolError
from latchstring.server.run import CONNECTIONS, allow_connections
from latchstring.site.render import check_settings
from latchstring.site.settings import SettingsError, load_settings
from latchstring.workers.edge import http1
from latchstring.workers.listening import CannotListen, need_free

app = typer.Typer(
    add_completion=False,
    help="Serve the pages for sources, sign what they are, and check what an address serves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None: ...


@app.command(epilog="Example: latchstring site run --door LINK --at http://ADDRESS.onion --tor --port 8410")
def run(
    door: Annotated[str, typer.Option("--door", help="The door's link.")],
    at: Annotated[
        str | None, typer.Option("--at", help="Where its store answers; else the link's first address.")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8410,
    settings: Annotated[Path, typer.Option(help="The pages' settings; nothing need be there.")] = Path(SETTINGS),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 2,
    tor: Tor = False,
    proxy: Proxy = None,
) -> None:
    """Serve the pages for sources against any door, until Ctrl-C. No record of requests is written."""
    way = through(tor, proxy)
    try:
        link = parse_link(door.strip())
        check_settings(load_settings(settings))
        address = at or next(iter(link.addresses), None)
        if address is None:
            ui.fail("The address of the door's store is missing.", "Add --at ADDRESS.", ui.USAGE)
        with HttpTransport(address, way):
            pass
        need_free(bind, port, time.sleep)
    except ProtocolError as error:
        ui.fail(str(error), "Copy the latchstring:v1: line that 'org found' printed.", ui.USAGE)
    except SettingsError as error:
        ui.fail(str(error), f"Mend '{settings.name}', or remove it.")
    except NetworkFailed as failed:
        ui.fail(str(failed), "", ui.USAGE)
    except CannotListen as taken:
        ui.fail(str(taken))
    pages = Pages(settings.resolve(), door.strip(), address, way, secrets.token_bytes(32))
    allow_connections()
    server = Server(
        "latchstring.cli.serving:alone",
        address=bind,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=True,
        log_level="error",  # type: ignore[arg-type]  # the enumeration's value is accepted
        log_access=False,
        backlog=1024,
        backpressure=CONNECTIONS,
        http1_settings=http1(),
        respawn_failed_workers=True,
        workers_kill_timeout=20,
    )
    server.on_startup(lambda: ui.say(f"The pages are served on http://{bind}:{port}/. Ctrl-C ends it."))
    server.serve(target_loader=partial(alone, pages), wrap_loader=False)


site_sign.register(app)
site_verify.register(app)
