import errno
from pathlib import Path

import pytest

from locker.deposits.refusals import NoRoom
from locker.deposits.room import temporary_folder, within_room


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_f_18_a_full_disk_is_no_room(number: int) -> None:
    with pytest.raises(NoRoom), within_room():
        raise OSError(number, "full")


async def test_f_18_every_other_fault_of_files_stays_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with temporary_folder("khizana-", tmp_path / "not-there"):
            pass
