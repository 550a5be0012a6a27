"""Whatever is wrong on the way to a machine or over there: one sentence, a remedy, nothing left running."""

from __future__ import annotations

import getpass
import json
import shlex
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from gpu_provisioner.errors import BootstrapError, ProviderError, ProvisionError, Unreachable
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.openssh import SshHost
from gpu_provisioner.providers import provider_of, provider_of_lease
from gpu_provisioner.provisioner import provision, release
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.front import Place
from tests.waiting import wait_for


def refusal(far: Far, **options: object) -> ProvisionError:
    """What asking that machine for offers raises, after which nothing runs there."""
    with pytest.raises(ProvisionError) as failed:
        provider_of(far.target(**options), lambda: ()).offers(parse("cpu"))
    assert failed.value.remedy
    wait_for(lambda: not far.processes_there(), "nothing is left running there")
    return failed.value


def test_an_unknown_host_is_named(far: Far) -> None:
    far.write_client(names="gpu")
    error = refusal(far, host="nowhere.invalid")
    assert isinstance(error, Unreachable)
    assert error.message.startswith("No host nowhere.invalid is known")
    assert "~/.ssh/config" in str(error.remedy)


def test_a_refused_key_says_how_to_be_let_in(far: Far) -> None:
    far.make_key("id")
    error = refusal(far)
    assert "does not let you in" in error.message and "Permission denied" in error.message
    assert str(error.remedy).startswith("ssh-copy-id far")


def test_a_changed_host_key_is_refused_and_not_accepted(far: Far) -> None:
    far.stop()
    far.make_key("hostkey")
    far.start()
    known = (far.keys / "known_hosts").read_bytes()
    error = refusal(far)
    assert "is not the one it had before" in error.message
    assert (far.keys / "known_hosts").read_bytes() == known
    # What is to be typed does it: then the host is one that was never visited.
    command = str(error.remedy).partition("the change is right: ")[2].partition(", then")[0]
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    assert "has never been visited from here" in refusal(far).message


def test_an_unknown_host_key_is_not_accepted_unseen(far: Far) -> None:
    (far.keys / "known_hosts").write_text("")
    error = refusal(far)
    assert "has never been visited from here" in error.message
    assert "compare the fingerprint" in str(error.remedy)
    assert (far.keys / "known_hosts").read_text() == ""


def test_a_machine_that_is_off_is_said_to_be_so(far: Far) -> None:
    far.stop()
    error = refusal(far)
    assert "no ssh server listens" in error.message


def test_a_server_that_hangs_up_is_said_to_do_so(far: Far) -> None:
    far.stop()
    with socket.create_server((far.address, far.port)) as rude:
        threading.Thread(target=lambda: rude.accept()[0].close(), daemon=True).start()
        error = refusal(far)
    assert "hung up before the login was done" in error.message


def test_a_configuration_that_ssh_does_not_understand_is_quoted(far: Far) -> None:
    far.write_client(extra="  Nonsense yes\n")
    error = refusal(far)
    assert "does not accept its configuration for far" in error.message
    assert error.remedy == "ssh -G far"


def test_a_machine_without_that_python_says_where_to_name_one(far: Far) -> None:
    error = refusal(far, python="python3.99")
    assert isinstance(error, BootstrapError)
    assert error.message.startswith("far has no python3.99")
    assert "trackside.toml" in str(error.remedy)


@pytest.mark.parametrize("version", ["2.7", "3.8"])
def test_a_python_that_is_too_old_is_named_with_its_version(own_far: Far, version: str) -> None:
    versions = Path(f"~{getpass.getuser()}").expanduser() / ".pyenv" / "versions"
    found = next((str(path) for path in versions.glob(f"{version}.*/bin/python")), None)
    found = found or shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"NOT TESTED: there is no Python {version} on this machine")
    error = refusal(own_far, python=found)
    assert f"is Python {version}" in error.message and "a kernel there needs 3.9" in error.message
    assert "trackside.toml" in str(error.remedy)


def test_a_python_without_ipykernel_is_told_how_to_get_it_and_the_lease_is_given_back(
    ssh_lab: SshLab, place: Place
) -> None:
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("NOT TESTED: there is no /usr/bin/python3")
    with pytest.raises(BootstrapError) as failed:
        ssh_lab.provision(python=str(system))
    assert "has no ipykernel" in failed.value.message
    assert failed.value.remedy == (
        "the same with --install; or there: /usr/bin/python3 -m pip install ipykernel"
    )
    assert [lease.state for lease in LeaseBook(place.data).all()] == [LeaseState.RELEASED]
    assert list(ssh_lab.far.agents.iterdir()) == []
    wait_for(lambda: not ssh_lab.far.processes_there(), "nothing is left running there")


def test_a_banner_before_the_login_is_not_taken_for_what_ssh_says(far: Far, place: Place) -> None:
    (far.root / "banner").write_text("Permission denied (password). Could not resolve hostname. Keep out!\n")
    far.stop()
    far.logins += f"\nBanner {far.root / 'banner'}"
    far.start()
    lab = SshLab(place, far)
    assert "through" in lab.kernel().execute("print('through')").text
    lab.close()
    assert "has no python3.99" in refusal(far, python="python3.99").message


NOISE = """
echo 'Welcome to the cluster'
head -c 70000 /dev/urandom
printf '\\001trackside '
echo hm >&2
"""


def test_a_noisy_login_does_no_harm(ssh_lab: SshLab) -> None:
    (ssh_lab.far.home / ".bashrc").write_text(NOISE)
    assert "through" in ssh_lab.kernel().execute("print('through')").text


def test_a_login_that_ends_in_its_bashrc_is_quoted(far: Far) -> None:
    (far.home / ".bashrc").write_text("echo 'Your account has expired, see the helpdesk'; exit 3\n")
    error = refusal(far)
    assert error.message.startswith("No Python could be started on the machine.")
    assert "Your account has expired" in error.message


EVIL = ("$(touch /tmp/{0})", "`touch /tmp/{0}`", "x; touch /tmp/{0}", "x\ntouch /tmp/{0}", "x|touch /tmp/{0}")


@pytest.mark.parametrize("evil", [*EVIL, "-oProxyCommand=touch /tmp/{0}", "", "a b", "x'y", 'x"y'])
def test_a_host_with_characters_of_a_shell_is_refused_before_anything_runs(
    far: Far, place: Place, evil: str
) -> None:
    mark = f"pwned-{place.mark}"
    host = SshHost(evil.format(mark), ("-F", str(far.keys / "config")))
    with pytest.raises(ProviderError, match="cannot be the name of an SSH host"):
        host.argv(["true"])
    assert not Path("/tmp", mark).exists()


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("field", ["python", "ssh_args"])
def test_shell_characters_in_an_option_run_nothing(far: Far, place: Place, field: str, evil: str) -> None:
    mark = f"pwned-{place.mark}"
    word = evil.format(mark)
    known = far.target().options
    value = word if field == "python" else [*known["ssh_args"], "-o", f"HostKeyAlias={word}"]
    refusal(far, **{field: value})
    assert not Path("/tmp", mark).exists()


def test_shell_characters_in_names_and_environment_stay_characters(ssh_lab: SshLab, place: Place) -> None:
    mark = f"pwned-{place.mark}"
    word = "; ".join(evil.format(mark) for evil in EVIL) + "'\"\\ä"
    lease = provision(
        [parse("cpu")],
        targets=[ssh_lab.target(env={"EVIL": word})],
        data_dir=place.data,
        name=word,
        notebook=word,
        kernel_id=word,
    )
    front = ssh_lab.front(lease)
    cell = front.execute("import os, json; print(json.dumps(os.environ['EVIL']))")
    assert json.loads(cell.text) == word
    assert lease.name == word
    front.holder.release(word)
    assert not Path("/tmp", mark).exists()


def test_a_lease_of_another_user_can_neither_be_found_nor_ended(ssh_lab: SshLab, own_far: Far) -> None:
    if ssh_lab.far.account.user == own_far.account.user:
        pytest.skip("NOT TESTED: without root there is no other user")
    front = ssh_lab.kernel()
    lease = front.holder.lease
    stranger = provider_of(own_far.target("other"), lambda: ())
    assert stranger.find(lease.id) == []
    assert stranger.status(lease) == LeaseState.LOST
    stranger.release(lease)
    assert "still here" in front.execute("print('still here')").text
    assert provider_of_lease(lease).status(lease) == LeaseState.READY


def test_a_machine_that_vanishes_while_it_is_given_back_stays_on_the_books(
    ssh_lab: SshLab, place: Place
) -> None:
    front = ssh_lab.kernel()
    front.holder.detach()
    ssh_lab.fronts.clear()
    lease = front.holder.lease
    far = ssh_lab.far
    far.close_shared_connections()
    far.stop()
    with pytest.raises(ProviderError, match="its kernel may still run on far"):
        provider_of_lease(lease).release(lease)
    assert [each.id for each in LeaseBook(place.data).live()] == [lease.id]
    far.start()
    release(lease, place.data, "the test")
    assert LeaseBook(place.data).live() == []
