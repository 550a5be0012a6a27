"""Jupyter's interrupt comes just when a carrier is started: it ends cells, and no carrier and no line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from tests.gpu_provisioner.front import Place
from tests.waiting import last_for, wait_for

CARRIER = "print('here', flush=True); import sys; sys.stdin.read()"

STARTED_BESIDE = f"""
import signal, subprocess, sys, threading
from gpu_provisioner.carrier import Carrier

signal.signal(signal.SIGINT, lambda *_: None)  # a cell that ends, and others go on
started = []
popen = subprocess.Popen
subprocess.Popen = lambda *a, **more: started.append(1) or popen(*a, **more)
answers = []

def start_them():
    while len(answers) < 40 or len(started) == len(answers) < 2000:
        carrier = Carrier([sys.executable, '-I', '-S', '-c', {CARRIER!r}])
        answers.append(carrier.read())
        carrier.close()

thread = threading.Thread(target=start_them)
print('ready', flush=True)
thread.start()
thread.join()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interpreter that ends hears the default again
assert set(answers) == {{b'here\\n'}}, (len(answers), [each for each in answers if each != b'here\\n'])
assert len(started) > len(answers), 'none was hit on its way'
"""

STARTED_IN_A_CELL = f"""
import signal, sys
from gpu_provisioner.carrier import Carrier

starting, heard = False, 0

def interrupt(*_):
    global heard
    if starting:
        heard += 1
        raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
print('ready', flush=True)
while heard < 40:
    carrier = None
    try:
        starting = True
        carrier = Carrier([sys.executable, '-I', '-S', '-c', {CARRIER!r}])
        starting = False
        assert carrier.read() == b'here\\n'
    except KeyboardInterrupt:
        pass
    starting = False
    if carrier is not None:
        carrier.close()
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


@pytest.mark.parametrize("program", [STARTED_BESIDE, STARTED_IN_A_CELL], ids=["beside", "in a cell"])
def test_carriers_that_are_started_under_a_rain_of_interrupts_answer_or_are_gone(
    place: Place, program: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as kernel:
        assert kernel.stdout is not None and kernel.stderr is not None
        assert kernel.stdout.readline() == "ready\n"
        while kernel.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(kernel.pid, signal.SIGINT)
            last_for(0.001)
        told = kernel.stderr.read()
    assert kernel.returncode == 0, told[-2000:]
    wait_for(lambda: not place.processes(), "no carrier is left")
