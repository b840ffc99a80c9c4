# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring witness: init, run, key."""

import secrets
from pathlib import Path
from typing import Annotated

import tomli_w
import typer

from latchstring.cli import ui
from latchstring.log.cosignature import Cosigner, witness_of
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.witness import check_witnesses
from latchstring.witness.app import run_witness
from latchstring.witness.config import Config, encode_keys, format_config, load_config, load_keys, make_keys
from latchstring.witness.errors import WitnessError

app = typer.Typer(
    add_completion=False,
    help="Cosign logs for others, so that nobody can be shown a log of their own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[Path, typer.Option("--config", help="The witness's configuration file.")]


@app.command(
    epilog="Example: latchstring witness init --data /srv/witness --name witness.example.net/w1 "
    "--address https://witness.example.net --log log.vkey"
)
def init(
    data: Annotated[Path, typer.Option(help="Folder for keys and what was seen last; made if missing.")],
    name: Annotated[str, typer.Option(help="The name in every cosignature, for ever: a domain and a path.")],
    address: Annotated[str, typer.Option(help="Where logs will reach it, for the card.")],
    log: Annotated[
        list[str] | None, typer.Option(help="A log's key, or the file that holds it (log.vkey); repeat it.")
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8410,
) -> None:
    """Make a witness's keys, its configuration, and the card that organisations add to their directory."""
    keys = make_keys(name, secrets.token_bytes)
    try:
        check_witnesses([witness_of(keys.keys, address)], 1, "")
    except (ProtocolError, LogError) as error:
        ui.fail(f"That cannot be a witness: {str(error).removeprefix('directory: ')}.", "", ui.USAGE)
    config = Config(data.resolve(), name, tuple(_log_key(text) for text in log or []), bind, port)
    target, card = config.data / "witness.toml", config.data / "witness-card.toml"
    for path in (target, card, config.keys_file):
        if path.exists():
            ui.fail(f"'{path.name}' is there already and was not touched.", "Choose another folder.")
    ui.make_folder(config.data)
    ui.write_private(config.keys_file, encode_keys(keys))
    ui.write_private(target, format_config(config).encode())
    ui.write_private(card, witness_card(keys, address).encode())
    ui.show(f"Made {target} and the keys beside it.")
    if not config.logs:
        ui.show(f"It cosigns no log yet: add the logs' keys to {target.name}.")
    ui.show(f"Next: latchstring witness run --config {target}")
    ui.show(f"      Give {card.name} to organisations: latchstring org directory sign --add {card.name}")


def witness_card(keys: Cosigner, address: str) -> str:
    """A witness as the block that a directory draft takes."""
    names = [str(key) for key in keys.keys]
    body = tomli_w.dumps({"name": keys.name, "address": address, "keys": names}, multiline_strings=False)
    return (
        "# A witness's public keys, for 'latchstring org directory sign --add'. Nothing here is secret.\n[witness]\n"
        + body
    )


def _log_key(text: str) -> VerifierKey:
    try:
        line = text if "+" in text else Path(text).read_text("ascii")
        return VerifierKey.parse(line.strip())
    except (OSError, UnicodeDecodeError, LogError):
        ui.fail(
            "That is not a log's key.",
            "Copy the one line that the log serves as log.vkey, or name the file that holds it.",
            ui.USAGE,
        )


@app.command(epilog="Example: latchstring witness run --config /srv/witness/witness.toml")
def run(config: ConfigFile = Path("witness.toml")) -> None:
    """Answer logs until Ctrl-C. What was seen is kept before a cosignature leaves; no record of requests is written."""
    try:
        run_witness(config, lambda: ui.say("The witness is running. Ctrl-C ends it."))
    except WitnessError as error:
        ui.fail(str(error))


@app.command(epilog="Example: latchstring witness key --config /srv/witness/witness.toml")
def key(
    config: ConfigFile = Path("witness.toml"), as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Print the witness's verifier keys (Ed25519, then ML-DSA-44), for directories and other verifiers."""
    try:
        keys = load_keys(load_config(config)).keys
    except WitnessError as error:
        ui.fail(str(error))
    ui.emit(as_json, {"keys": [str(k) for k in keys]}, lambda: print(*keys, sep="\n"))
