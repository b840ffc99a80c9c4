# SPDX-License-Identifier: AGPL-3.0-or-later
"""What systemd does to a service's process before it starts, for a machine where it is not process 1: system calls
refused as `SystemCallFilter` says, no memory that is writable and executable, no new privileges, limits, umask.

`python -m tests.integration.confined UNIT COMMAND...` becomes the command, so confined. Linux, with libseccomp.
"""

import ctypes
import ctypes.util
import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_NO_NEW_PRIVS, _MDWE, _REFUSE_EXEC_GAIN = 38, 65, 1  # <linux/prctl.h>
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000  # and the error's number


def settings(unit: Path) -> dict[str, list[str]]:
    """Every setting of a unit file, in its order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def calls_in(group: str) -> set[str]:
    """The system calls of one of systemd's groups, groups in it too, as this systemd knows them."""
    said = subprocess.run(
        [shutil.which("systemd-analyze") or "", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    names = [line.strip() for line in said.stdout.splitlines()[1:]]
    found = {name for name in names if name and name[0] not in "#@"}
    return found.union(*(calls_in(name) for name in names if name.startswith("@")))


def allowed(filters: list[str]) -> set[str]:
    """What is left by the lines of `SystemCallFilter`: the first of ours is a list of what is allowed."""
    left: set[str] = set()
    for line in filters:
        named = set[str]()
        for word in line.removeprefix("~").split():
            named |= calls_in(word) if word.startswith("@") else {word}
        left = left - named if line.startswith("~") else left | named
    return left | calls_in("@default")


def confine(unit: Path) -> None:
    """Put this process under the unit's rules. OSError when the kernel or libseccomp does not."""
    said = settings(unit)
    for name, what in (("LimitCORE", resource.RLIMIT_CORE), ("LimitNOFILE", resource.RLIMIT_NOFILE)):
        if name in said:
            hard = resource.getrlimit(what)[1]
            most = int(said[name][-1]) if hard == resource.RLIM_INFINITY else min(hard, int(said[name][-1]))
            resource.setrlimit(what, (most, most))
    os.umask(int(said["UMask"][-1], 8))
    names = allowed(said["SystemCallFilter"])
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    for name in sorted(names):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), ctypes.c_int(number), ctypes.c_uint(0))
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if said.get("MemoryDenyWriteExecute") == ["yes"] and libc.prctl(_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "memory that is writable and executable cannot be refused")
    if seccomp.seccomp_load(context):
        raise OSError(errno.EPERM, "the filter cannot be loaded")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  # what the unit names
