"""Machines behind ssh as targets: their GPUs, several at once, with and without a configuration file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.agent.claims import Claims
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.config import host_target, load_targets
from gpu_provisioner.errors import BootstrapError, NoOffer
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.openssh import SshHost
from gpu_provisioner.openssh_hosts import configured_hosts
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision, refresh, release
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import wait_for

GIB = 2**30


@pytest.fixture
def gpu_lab(place: Place, account: Account, nvml_library: Path) -> Iterator[SshLab]:
    """A far side with three GPUs: one in use, two free, told by a stub of NVML's library over there."""
    far = Far(place, account)
    driver = far.root / "driver"
    driver.mkdir(mode=0o755)
    shutil.copy(nvml_library / "libnvidia-ml.so.1", driver)
    uuids = gpu_ids(place)
    lines = (
        f"NVIDIA A100-SXM4-80GB|{uuids[0]}|{80 * GIB}|{30 * GIB}|1",
        f"NVIDIA A100-SXM4-80GB|{uuids[1]}|{80 * GIB}|0|",
        f"NVIDIA L4|{uuids[2]}|{23 * GIB}|0|",
    )
    (driver / "gpus").write_text("\n".join(lines) + "\n")
    far.env.update(LD_LIBRARY_PATH=str(driver), NVML_STUB_GPUS=str(driver / "gpus"))
    far.start()
    lab = SshLab(place, far)
    yield lab
    lab.close()
    far.close()


def gpu_ids(place: Place) -> list[str]:
    """Of this test alone: a claim is seen by every test on the machine."""
    return [f"GPU-{place.mark[:8]}-{number}" for number in range(3)]


def test_a_free_gpu_over_there_is_chosen_shown_and_the_only_one_visible(
    gpu_lab: SshLab, place: Place
) -> None:
    lease = gpu_lab.provision("a100", usd_per_gpu_hour=1.5)
    assert (lease.device, lease.usd_per_hour) == ("a100-80gb", 1.5)
    assert [gpu.uuid for gpu in lease.gpus] == gpu_ids(place)[1:2]
    front = gpu_lab.front(lease)
    assert front.holder.welcome is not None
    assert len(front.holder.welcome.machine["gpus"]) == 3
    cell = front.execute("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    assert cell.text.strip() == gpu_ids(place)[1]


def test_a_gpu_that_a_kernel_of_anybody_has_is_not_offered_again(
    gpu_lab: SshLab, place: Place, tmp_path: Path
) -> None:
    lease = gpu_lab.provision("a100")
    # Another data folder: another user, or the same one at another desk.
    elsewhere = Catalog([gpu_lab.target()], LeaseBook(tmp_path).live)
    with pytest.raises(NoOffer, match="a kernel of Trackside has it"):
        elsewhere.choose([parse("a100")])
    release(lease, place.data, "the test")
    again = Catalog([gpu_lab.target()], LeaseBook(tmp_path).live)
    assert again.choose([parse("a100")]).gpus[0].uuid == gpu_ids(place)[1]


def test_of_two_who_take_the_same_gpu_at_the_same_time_the_later_one_is_told(
    gpu_lab: SshLab, place: Place
) -> None:
    # The other one came after the offer and before the agent.
    def come_between(stage: str, text: str) -> None:
        if stage == "offer":
            taken.append(Claims([gpu_ids(place)[1]]))

    taken: list[Claims] = []
    try:
        with pytest.raises(BootstrapError, match="was quicker") as told:
            provision(
                [parse("a100")],
                targets=[gpu_lab.target()],
                data_dir=place.data,
                on_progress=come_between,
            )
    finally:
        for claim in taken:
            claim.close()
    assert told.value.remedy == "try again"
    assert LeaseBook(place.data).live() == []
    assert list(gpu_lab.far.agents.iterdir()) == []


def test_without_a_driver_there_is_no_gpu_but_a_processor(far: Far) -> None:
    catalog = Catalog([far.target()], lambda: ())
    with pytest.raises(NoOffer, match="far: no GPU there: no NVIDIA driver is installed"):
        catalog.choose([parse("gpu")])
    assert catalog.choose([parse("gpu"), parse("cpu")]).device == "cpu"


def test_targets_that_are_slow_or_off_are_named_and_hide_no_other(far: Far) -> None:
    slow = far.target("slow", python=str(far.root / "slow"))
    (far.root / "slow").write_text("#!/bin/sh\nexec sleep 600\n")
    (far.root / "slow").chmod(0o755)
    off = Target("off", "ssh", {"host": "127.0.0.1", "ssh_args": ["-p", "1"]})
    try:
        survey = Catalog([slow, off, far.target("fine")], lambda: (), 6.0).survey(parse("cpu"))
    finally:
        # What never reads its stdin never learns that the line is gone.
        for process in far.processes_there():
            process.kill()
    assert [offer.target for offer in survey.offers] == ["fine"]
    problems = {problem.target: problem.message for problem in survey.problems}
    assert problems["slow"] == "did not answer within 6 s"
    assert "no ssh server listens" in problems["off"]


def test_the_one_target_that_was_asked_and_is_off_says_what_to_do(place: Place) -> None:
    off = Target("off", "ssh", {"host": "127.0.0.1", "ssh_args": ["-p", "1"]})
    with pytest.raises(NoOffer) as told:
        provision([parse("a100")], targets=[off], data_dir=place.data)
    assert "no ssh server listens" in told.value.message
    assert "Nothing was rented on off" in told.value.message
    assert told.value.remedy == "ssh 127.0.0.1"


def test_a_machine_that_does_not_answer_keeps_its_lease(ssh_lab: SshLab, place: Place) -> None:
    lease = ssh_lab.provision()
    ssh_lab.far.close_shared_connections()
    ssh_lab.far.stop()
    assert [each.state.value for each in refresh(LeaseBook(place.data))] == ["ready"]
    ssh_lab.far.start()
    asked: dict[str, float] = {}
    assert [each.state.value for each in refresh(LeaseBook(place.data), asked)] == ["ready"]
    assert list(asked) == [lease.id]
    release(lease, place.data, "the test")


def test_a_target_without_a_host_is_the_host_of_its_name(far: Far) -> None:
    far.write_client(names="gpu1")
    options = far.target().options
    nameless = {key: value for key, value in options.items() if key != "host"}
    survey = Catalog([Target("gpu1", "ssh", nameless)], lambda: ()).survey(parse("cpu"))
    assert [offer.target for offer in survey.offers] == ["gpu1"]


def test_hosts_of_the_ssh_configuration_are_targets_without_a_table(tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "lab").write_text('Host "lab" lab.example.org\n')
    config = tmp_path / "config"
    config.write_text(
        "Include config.d/*\n# Host ghost\nhost = gpu1 gpu2\nHost *.internal !x bad?\nMatch all\n"
    )
    assert configured_hosts(config) == ["lab", "lab.example.org", "gpu1", "gpu2"]
    assert host_target("gpu2", config) == Target("gpu2", "ssh", {"host": "gpu2"})
    assert host_target("gpu3", config) is None
    assert host_target("*.internal", config) is None
    assert configured_hosts(tmp_path / "missing") == []


def test_a_configuration_of_ssh_targets_is_read_and_each_target_tried(far: Far, place: Place) -> None:
    arguments = '["-F", "' + str(far.keys / "config") + '"]'
    text = f'[targets.far]\nprovider = "ssh"\npython = "{far.account.python}"\nssh_args = {arguments}\n'
    config = place.root / "trackside.toml"
    config.write_text(text)
    assert [target.provider for target in load_targets(config)] == ["local", "ssh"]
    done = check_configuration(config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [["ok", "local"], ["ok", "far"]]
    config.write_text(text + '[targets.off]\nprovider = "ssh"\nhost = "127.0.0.1"\nssh_args = ["-p", "1"]\n')
    done = check_configuration(config)
    assert done.returncode == 1
    assert "bad   off" in done.stdout and "no ssh server listens" in done.stdout


def check_configuration(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_ext.cli", "config", "check"],
        env={**os.environ, "TRACKSIDE_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_users_own_shared_connection_is_used_where_he_has_one(ssh_lab: SshLab, place: Place) -> None:
    own = place.root / "mine"
    extra = f"  ControlMaster auto\n  ControlPath {own}\n  ControlPersist 30\n"
    ssh_lab.far.write_client(extra=extra)
    assert "shared" in ssh_lab.kernel().execute("print('shared')").text
    assert own.exists() and ssh_lab.far.masters() == []
    subprocess.run(["ssh", "-o", f"ControlPath={own}", "-O", "exit", "x"], check=True, capture_output=True)


def test_several_carriers_share_one_connection_and_its_socket_is_private(ssh_lab: SshLab) -> None:
    ssh_lab.kernel()
    ssh_lab.kernel()
    assert len(ssh_lab.far.shared_connections()) == 1
    [path] = ssh_lab.far.masters()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o077 == 0


def test_a_folder_too_long_for_a_socket_means_no_sharing_but_works(
    ssh_lab: SshLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SshHost, "control_path", lambda self: None)
    assert "alone" in ssh_lab.kernel().execute("print('alone')").text
    assert ssh_lab.far.shared_connections() == []


def test_another_user_of_the_machine_can_neither_attach_nor_read(ssh_lab: SshLab) -> None:
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: without root there is no other user")
    front = ssh_lab.kernel()
    folder = ssh_lab.far.agents / front.holder.lease.id
    socket_path = next((ssh_lab.far.root / "run" / "trackside").glob("*/attach"))
    code = (
        "import socket, sys\n"
        "try: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('attached')\n"
        "except PermissionError: print('refused')\n"
        "try: open(sys.argv[2]); print('read')\n"
        "except PermissionError: print('refused')\n"
    )
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    done = subprocess.run(
        [*nobody, "/usr/bin/python3", "-c", code, str(socket_path), str(folder / "agent.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["refused", "refused"]


def test_a_kernel_here_and_one_there_work_side_by_side(lab: Lab, ssh_lab: SshLab) -> None:
    here, there = lab.kernel(), ssh_lab.kernel()
    cells = [front.begin("import os; print(os.environ['HOME'])") for front in (here, there)]
    homes = [front.finish(cell).text.strip() for front, cell in zip((here, there), cells, strict=True)]
    assert homes == [os.environ["HOME"], str(ssh_lab.far.home)]
    wait_for(lambda: len(LeaseBook(lab.place.data).live()) == 2, "two leases")
