"""Whether a folder lies on a network file system, by the mount table (Linux: ``proc(5)``, mountinfo).

There one append can take milliseconds, so the writer gathers points for up to 100 ms, and what other machines
write is looked for instead of listened for. ``TRACKSIDE_NETWORK_FS=1`` in the environment says that folders
are on such a file system though their mount does not look like it, ``0`` that they are not.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

FORCED = "TRACKSIDE_NETWORK_FS"
_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|fuse\.(ceph|glusterfs|juicefs|s3fs|sshfs)|glusterfs|gpfs|lustre|ncpfs|nfs[34]?"
    r"|orangefs|panfs|pvfs2|smb3|smbfs|virtiofs|wekafs"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def is_network(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether ``folder`` lies on a network file system; ``False`` where there is no mount table to ask."""
    said = os.environ.get(FORCED, "")
    if said in ("0", "1"):
        return said == "1"
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    path = os.path.realpath(folder)
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), fields[4])
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):  # a later mount at the same place covers the earlier one
            best, kind = mount, after.split(" ", 1)[0]
    return _NETWORK.fullmatch(kind) is not None
