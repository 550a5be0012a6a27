"""``trackside …``: the command line.

A user's mistake is one sentence and a remedy on stderr and exit status 2; what cannot be done for another
reason is the same with status 1. Only a mistake of ours shows a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from gpu_provisioner.errors import BadRequest, LeaseError, ProvisionError
from gpu_provisioner.errors import ConfigurationError as ProvisionConfigurationError
from kernel_magics.errors import ConfigurationError, TracksideError, UnknownRun, UsageMistake

from . import cli_cleanup, cli_doctor, cli_exchange, cli_kernelspec, cli_login, cli_machines, cli_runs
from .errors import UnknownLease

MISTAKES = (
    UsageMistake,
    UnknownRun,
    ConfigurationError,
    BadRequest,
    LeaseError,
    UnknownLease,
    ProvisionConfigurationError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status."""
    try:
        arguments = _parser().parse_args(argv)
        status: int = arguments.act(arguments)
        sys.stdout.flush()
    except (TracksideError, ProvisionError) as error:
        sys.stderr.write(_sentence(error))
        return 2 if isinstance(error, MISTAKES) else 1
    except BrokenPipeError:  # `trackside ls | head`: the reader has seen enough
        _forget_output()
        return 0
    except OSError as error:  # a folder of somebody else, a full disk
        where = f"{error.filename} cannot be used: " if error.filename else ""
        sys.stderr.write(f"trackside: {where}{error.strerror or error}.\n")
        _forget_output()
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _forget_output() -> None:
    """What could not be written is not tried again at exit, where Python would complain about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: TracksideError | ProvisionError) -> str:
    remedy = f"Try: {error.remedy}\n" if error.remedy else ""
    return f"trackside: {error.message}\n{remedy}"


def _help(parser: argparse.ArgumentParser) -> int:
    """What there is, to somebody who named no command."""
    parser.print_help(sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trackside", description="Runs on the record, and the machines that kernels hold."
    )
    parser.add_argument("--data", metavar="FOLDER", help="the data folder (else $TRACKSIDE_DIR or Jupyter's)")
    parser.set_defaults(act=lambda _arguments: _help(parser))  # `trackside` alone
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    cli_runs.add_commands(commands)
    cli_exchange.add_commands(commands)
    cli_cleanup.add_commands(commands)
    cli_machines.add_commands(commands)
    cli_login.add_commands(commands)
    cli_kernelspec.add_commands(commands)
    cli_doctor.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
