# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring server: init, run, check; `backup` and `restore` have their own modules."""

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from latchstring.cli import backup, restore, ui
from latchstring.cli.serving import SETTINGS, Pages, both
from latchstring.protocol.doorwords import format_link, parse_link
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.root import Door
from latchstring.server.check import check as look
from latchstring.server.config import Config, format_config, is_origin, load_config
from latchstring.server.keys import ServerKeys, save_keys
from latchstring.server.logfile import output_to
from latchstring.server.run import run_server
from latchstring.site.render import check_settings
from latchstring.site.settings import SettingsError, load_settings
from latchstring.store.sql import StoreError
from latchstring.workers.bodies import Application

app = typer.Typer(
    add_completion=False,
    help="Run the server that stores and publishes. It can open nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[Path, typer.Option("--config", help="The server's configuration file.")]


@app.command(
    epilog="Example: latchstring server init --data /srv/latchstring --door LINK --origin door.example.org/log"
)
def init(
    data: Annotated[Path, typer.Option(help="Folder for keys, database and published files; made if missing.")],
    door: Annotated[str, typer.Option(help="The door's link, or its 64 hexadecimal digits, from 'org found'.")],
    origin: Annotated[str, typer.Option(help="Name of the public log, for ever: your domain and a path.")],
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8400,
) -> None:
    """Make the server's keys, its configuration, and the card that the organisation adds to its directory."""
    if not is_origin(origin):
        ui.fail(
            "That is not a name for the public log.",
            "Take your domain and a path, such as door.example.org/log, in lower case.",
            ui.USAGE,
        )
    config = Config(data=data.resolve(), door=_door(door), origin=origin, bind=bind, port=port)
    target, card = config.data / "server.toml", config.data / "server-card.toml"
    for path in (target, card, config.data / "log.vkey"):
        if path.exists():
            ui.fail(f"'{path.name}' is there already and was not touched.", "Choose another folder.")
    ui.make_folder(config.data)
    keys = ServerKeys.make(secrets.token_bytes)
    try:
        save_keys(config.keys_file, keys)
    except StoreError as error:
        ui.fail(str(error), "Choose another folder, or use the server that is there.")
    ui.write_private(target, format_config(config).encode())
    ui.write_private(card, server_card(origin, keys).encode())
    ui.write_private(config.data / "log.vkey", f"{keys.verifier(origin)}\n".encode())
    ui.show(f"Made {target} and the keys beside it. Back up keys.cbor; it is never shown.")
    ui.show("Give log.vkey to those who will cosign the log; their cards go into the directory beside the server's.")
    ui.show(f"Next: give {card.name} to whoever signs the directory, then: latchstring server run --config {target}")


def server_card(origin: str, keys: ServerKeys) -> str:
    """The server's public keys as the block that a directory draft takes."""
    return (
        "# A server's public keys, for 'latchstring org directory sign --add'. Nothing here is secret.\n[server]\n"
        f'origin = "{origin}"\nlog = "{keys.log_public.hex()}"\nreceipt = "{keys.receipt_public.hex()}"\n'
        f'request = "{keys.request_public.hex()}"\n'
    )


def _door(text: str) -> Door:
    """Of a link, or of its 64 digits alone."""
    link = text.strip()
    try:
        raw = parse_link(link if ":" in link else f"latchstring:v1:{link}").door
    except ProtocolError:
        raw = None
    if raw is None:
        ui.fail("That is not a door's link.", "Copy the latchstring:v1: line that 'org found' printed.", ui.USAGE)
    return Door(raw)


@app.command(epilog="Example: latchstring server run --config /srv/latchstring/server.toml")
def run(
    config: ConfigFile = Path("server.toml"),
    log: Annotated[
        Path | None, typer.Option(help="Write the server's lines to this file, 5 MB at most, instead of the terminal.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Where to write metrics (Prometheus text); else data/metrics.prom.")
    ] = None,
    clock_is_right: Annotated[
        bool, typer.Option("--clock-is-right", help="Publish on after more than 14 days without a batch.")
    ] = False,
) -> None:
    """Answer requests and close a batch at every tick, until Ctrl-C. No record of requests is written."""
    try:
        with output_to(log) if log else nullcontext():
            status = run_server(
                config,
                lambda: ui.say("The server is running. Ctrl-C ends it."),
                metrics,
                clock_is_right,
                _loader(config),
            )
    except SettingsError as error:
        ui.fail(str(error), f"Mend '{SETTINGS}', or remove it.")
    except StoreError as error:
        ui.fail(str(error), "'latchstring server check' looks at everything.")
    raise typer.Exit(status)


def _loader(path: Path) -> Callable[[], Application] | None:
    """What makes a worker's application when the pages are served too. StoreError, SettingsError."""
    config = load_config(path)
    if not config.site:
        return None
    settings = path.resolve().parent / SETTINGS
    check_settings(load_settings(settings))  # say what is wrong before any process starts
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.bind, config.bind)  # noqa: S104  # read, not bound
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    pages = Pages(settings, format_link(config.door), f"http://{host}:{config.port}", None, secrets.token_bytes(32))
    return partial(both, str(path.resolve()), pages)


@app.command(epilog="Example: latchstring server check --config /srv/latchstring/server.toml")
def check(
    config: ConfigFile = Path("server.toml"), as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Say in plain words what is wrong with the configuration or the store. Exit status 3 when something is."""
    found = look(config)

    def human() -> None:
        for finding in found:
            ui.show(("good   " if finding.ok else "WRONG  ") + finding.text, "" if finding.ok else "bold red")

    ok = all(finding.ok for finding in found)
    ui.emit(as_json, {"ok": ok, "findings": [{"ok": f.ok, "text": f.text} for f in found]}, human)
    raise typer.Exit(0 if ok else ui.FOUND_WRONG)


backup.register(app)
restore.register(app)
