"""A network between here and a namespace whose weather can be set: delay, loss, down, a firewall.

Where the kernel has no ``netem``: two TUN devices, and a process between them that carries each packet.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

_TUNSETIFF, _IFF_TUN_NO_PI, _CLONE_NEWNET = 0x400454CA, 0x1001, 0x40000000
"""ioctl of ``linux/if_tun.h``; flag of ``setns(2)``."""


class Cable:
    """One network namespace, reached over one address.

    Attributes:
        name: of the namespace.
        address: of its end.
    """

    def __init__(self) -> None:
        self.name = f"tc{os.getpid()}"
        number = os.getpid() % 250
        self._here, self.address = f"198.19.{number}.1", f"198.19.{number}.2"
        self._plug, self._far_plug = f"tca{os.getpid()}", f"tcb{os.getpid()}"
        self._carrying: subprocess.Popen[bytes] | None = None

    def build(self) -> None:
        _ip("netns", "add", self.name)
        command = [sys.executable, __file__, self.name, self._plug, self._far_plug]
        self._carrying = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._carrying.stdout is not None
        assert self._carrying.stdout.readline() == b"ready\n"
        _ip("addr", "add", self._here, "peer", self.address, "dev", self._plug)
        _ip("link", "set", self._plug, "up")
        _ip("-n", self.name, "addr", "add", self.address, "peer", self._here, "dev", self._far_plug)
        _ip("-n", self.name, "link", "set", self._far_plug, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def remove(self) -> None:
        if self._carrying is not None:
            self._carrying.communicate()
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def weather(self, delay_s: float = 0.0, loss: float = 0.0) -> None:
        """Packets take this much longer, and this share of them is lost, each way."""
        assert self._carrying is not None and self._carrying.stdin is not None
        self._carrying.stdin.write(f"{delay_s} {loss}\n".encode())
        self._carrying.stdin.flush()

    def link(self, state: str) -> None:
        """``up`` or ``down``."""
        _ip("link", "set", self._plug, state)

    def firewall(self, *rule: str) -> None:
        """Replace the far end's rules for what arrives: by none, or by this one."""
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "iptables"]
        subprocess.run([*enter, "-F", "INPUT"], check=True)
        if rule:
            subprocess.run([*enter, "-A", "INPUT", "-i", self._far_plug, *rule], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _tun(name: str) -> int:
    """A new TUN device of this process's namespace: a descriptor whose reads and writes are packets."""
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return handle


def _tuns(namespace: str, here: str, there: str) -> tuple[int, int]:
    """A device here, and one in the namespace."""
    near = _tun(here)
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    if libc.setns(away, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    far = _tun(there)
    libc.setns(home, _CLONE_NEWNET)
    return near, far


def carry(near: int, far: int) -> None:
    """Carry packets both ways until stdin ends; a line there is ``delay loss``."""
    delay_s = loss = 0.0
    waiting: list[tuple[float, int, int, bytes]] = []
    count = 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 5.0
        ready = select.select([near, far, 0], [], [], pause)[0]
        if 0 in ready:
            said = os.read(0, 4096)
            if not said:
                return
            delay_s, loss = map(float, said.split()[-2:])
        for source in ready:
            for packet in _packets(source) if source != 0 else ():
                if random.random() >= loss:
                    count += 1
                    other = far if source == near else near
                    heapq.heappush(waiting, (time.monotonic() + delay_s, count, other, packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(waiting)
            try:
                os.write(target, packet)
            except OSError:  # that end is down, or full: the packet is lost
                continue


def _packets(source: int) -> list[bytes]:
    found: list[bytes] = []
    try:
        while len(found) < 64:
            found.append(os.read(source, 65536))
    except OSError:  # no more, or the device is down
        pass
    return found


if __name__ == "__main__":
    plugs = _tuns(*sys.argv[1:4])
    print("ready", flush=True)
    carry(*plugs)
