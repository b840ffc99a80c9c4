# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole Tor network on this machine: directory authorities, relays, somebody's onion service and a person's client.
Nothing leaves the loopback address, and no name is looked up."""

import os
import random
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latchstring.demo.door import wait_for

AUTHORITIES: Final = ("authority1", "authority2", "authority3")
RELAYS: Final = (*AUTHORITIES, "relay1", "relay2", "relay3")
_HERE: Final = "127.0.0.1"
_CONSENSUS: Final = "/tor/status-vote/current/consensus-microdesc"
_USABLE: Final = {"Guard", "HSDir", "Running", "Valid"}
_READY_SECONDS: Final = 180

_EVERYBODY: Final = """\
TestingTorNetwork 1
Nickname {name}
DataDirectory {home}
Log notice file {home}/log
__OwningControllerProcess {owner}
OutboundBindAddress 127.0.0.1
ClientUseIPv6 0
NumCPUs 1
AvoidDiskWrites 1
ShutdownWaitLength 0
LearnCircuitBuildTimeout 0
CircuitBuildTimeout 20
{directories}
"""
# Whoever resolved a name would ask this machine, where nobody answers.
_RELAY: Final = """\
SocksPort 0
Address 127.0.0.1
ORPort 127.0.0.1:{relay} IPv4Only
AssumeReachable 1
ExtraInfoStatistics 0
ExitPolicy reject *:*
ServerDNSResolvConfFile {root}/resolv.conf
ServerDNSAllowBrokenConfig 1
ServerDNSDetectHijacking 0
"""
# All vote for everybody at once; a consensus is short-lived, so that nobody keeps an early one with few relays in it.
_AUTHORITY: Final = """\
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
ContactInfo nobody@example.invalid
DirPort 127.0.0.1:{directory}
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
V3AuthNIntervalsValid 3
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
TestingMinExitFlagThreshold 0
TestingAuthDirTimeToLearnReachability 0
AuthDirMaxServersPerAddr 0
MinUptimeHidServDirectoryV2 0
"""
_CLIENT: Final = """\
SocksPort 127.0.0.1:{socks}
ControlPort 127.0.0.1:{control}
CookieAuthentication 1
"""


class Watch:
    """What the client's control port tells of its streams (Tor's control-spec, 4.1.2)."""

    def __init__(self, port: int, cookie: bytes) -> None:
        self._line = socket.create_connection((_HERE, port), timeout=30)
        self._lines = self._line.makefile("r", encoding="utf-8", errors="replace")
        self._said(f"AUTHENTICATE {cookie.hex()}")
        self._said("SETEVENTS STREAM")

    def close(self) -> None:
        self._lines.close()
        self._line.close()

    def circuits(self, onion: str) -> list[str]:
        """The circuit of each stream that reached this address since the last call, in their order. (Tor has streams of
        its own, for what it fetches from directories.)"""
        name = onion.removeprefix("http://")
        streams = (line.split() for line in self._said("GETINFO version") if line.startswith("650 STREAM"))
        return [words[4] for words in streams if words[3] == "SUCCEEDED" and words[5].startswith(name)]

    def _said(self, command: str) -> list[str]:
        """What it told until it had carried this out."""
        self._line.sendall(f"{command}\r\n".encode())
        told = []
        while (line := self._lines.readline().strip()) != "250 OK":
            assert line.startswith(("2", "6")), f"Tor's control port said {line!r}"
            told.append(line)
        return told


@dataclass(frozen=True)
class TorNetwork:
    """One that runs. `socks`: the client's port, as HOST:PORT."""

    socks: str
    home: Path
    control: int
    cookie: Path

    def onion(self, folder: str) -> str:
        """The address of the service with this HiddenServiceDir."""
        return f"http://{(self.home / folder / 'hostname').read_text().strip()}"

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """From now on, which circuit each of the client's streams goes by."""
        watch = Watch(self.control, self.cookie.read_bytes())
        try:
            yield watch
        finally:
            watch.close()


@contextmanager
def tor_network(root: Path, service: str, ports: "Ports") -> Iterator[TorNetwork]:
    """Runs in `root` until the block ends. `service`: the lines of a torrc for the machine of onion services, in which
    {home} is its folder; each HiddenServiceDir is a folder in it."""
    relay = {name: ports.get() for name in RELAYS}
    directory = {name: ports.get() for name in AUTHORITIES}
    socks, control = ports.get(), ports.get()
    (root / "resolv.conf").write_text(f"nameserver {_HERE}\n")
    (root / "none").write_text("")
    for name in (*RELAYS, "service", "client"):
        (root / name).mkdir(mode=0o700)
    known = "\n".join(_authority(root, name, relay[name], directory[name]) for name in AUTHORITIES)
    with ExitStack() as running:

        def start(name: str, more: str, **values: object) -> None:
            values |= {"name": name, "home": root / name, "root": root, "directories": known, "owner": os.getpid()}
            running.enter_context(_tor(root, name, (_EVERYBODY + more).format_map(values)))

        for name in RELAYS:
            votes = _AUTHORITY if name in AUTHORITIES else ""
            start(name, _RELAY + votes, relay=relay[name], directory=directory.get(name))
        # Who comes while a relay is missing may stay without it for minutes.
        wait_for(lambda: _all_agree(directory) or None, _READY_SECONDS, "the relays to be known")
        start("service", service)
        start("client", _CLIENT, socks=socks, control=control)
        wait_for(
            lambda: "Bootstrapped 100%" in _log(root, "client") or None, _READY_SECONDS, "Tor's client to be ready"
        )
        cookie = root / "client" / "control_auth_cookie"
        yield TorNetwork(f"{_HERE}:{socks}", root / "service", control, cookie)


class Ports:
    """Below those from which the system takes one for each connection: Tor itself makes many meanwhile."""

    def __init__(self) -> None:
        self._free = iter(random.sample(range(12_000, 32_000), 2_000))

    def get(self) -> int:
        """One that nobody listens at, another each time."""
        for port in self._free:
            with socket.socket() as probe:
                try:
                    probe.bind((_HERE, port))
                except OSError:
                    continue
                return port
        raise AssertionError("no port is free")


@contextmanager
def _tor(root: Path, name: str, torrc: str) -> Iterator[None]:
    (root / name / "torrc").write_text(torrc)
    with (root / name / "said").open("wb") as said:
        process = subprocess.Popen(
            [_program("tor"), "--defaults-torrc", str(root / "none"), "-f", str(root / name / "torrc"), "--hush"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={"HOME": str(root / name), "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, (root / name / "said").read_text() + _log(root, name)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # now and then a relay does not hear it; nothing of it stays
            process.kill()
            process.wait()


def _log(root: Path, name: str) -> str:
    """What it noted; nothing before it has begun."""
    log = root / name / "log"
    return log.read_text() if log.exists() else ""


def _authority(root: Path, name: str, relay: int, directory: int) -> str:
    """Make an authority's keys; the line by which all others know it."""
    keys = root / name / "keys"
    keys.mkdir(mode=0o700)
    files = {flag: str(keys / f"authority_{file}") for flag, file in _KEYS.items()}
    pairs = [word for pair in files.items() for word in pair]
    made = [_program("tor-gencert"), "--create-identity-key", "--passphrase-fd", "0", "-a", f"{_HERE}:{directory}"]
    subprocess.run([*made, *pairs], input=b"a test\n", check=True, capture_output=True)
    (votes,) = re.findall(r"^fingerprint (\w{40})$", Path(files["-c"]).read_text(), re.M)
    asked = {
        "--defaults-torrc": root / "none",
        "-f": root / "none",
        "--DataDirectory": root / name,
        "--Nickname": name,
        "--Address": _HERE,
        "--ORPort": f"{_HERE}:{relay}",
        "--SocksPort": 0,
        "--DirAuthority": f"nobody {_HERE}:{directory} {'0' * 40}",  # not the world's
    }
    words = [str(word) for pair in asked.items() for word in pair]
    said = subprocess.run(
        [_program("tor"), "--list-fingerprint", "--quiet", *words], check=True, capture_output=True, text=True
    ).stdout
    return f"DirAuthority {name} orport={relay} v3ident={votes} {_HERE}:{directory} {said.split(maxsplit=1)[1].strip()}"


_KEYS: Final = {"-i": "identity_key", "-s": "signing_key", "-c": "certificate"}  # as tor-gencert is asked for them


def _all_agree(directory: Mapping[str, int]) -> bool:
    """Does every authority's consensus name every relay, with all that a client needs of it?"""
    return all(_usable(port) == len(RELAYS) for port in directory.values())


def _usable(port: int) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{_HERE}:{port}{_CONSENSUS}", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:  # there is none yet
        return 0
    return sum(set(flags.split()) >= _USABLE for flags in re.findall(r"^s (.*)$", text, re.M))


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is not on this machine"
    return found
