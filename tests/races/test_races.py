"""Attack rows P, K, V: one act is stopped before each of its steps in turn, and another one is done whole meanwhile.

``python -m tests.races`` races every act with every other; here are those that something was found with, and those that
matter most.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from khizana.embedded.s3 import EmbeddedS3
from tests.interleaving import steps_stop
from tests.races.run import AGAIN, SLOW, race
from tests.races.scene import Stage, open_stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(dsns: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    # A store of its own, whose objects are counted.
    s3 = EmbeddedS3.start(tmp_path_factory.mktemp("s3"))
    try:
        async with open_stage(dsns, s3, tmp_path_factory.mktemp("locker")) as opened:
            with steps_stop():
                yield opened
    finally:
        s3.stop()


@pytest.mark.parametrize(
    ("act", "steps"), [("deposit", 22), ("get_original", 6), ("opened_picture", 4), ("opened_upload", 5)]
)
async def test_p_01_an_erasure_leaves_nothing_whatever_it_comes_between(stage: Stage, act: str, steps: int) -> None:
    """No row, no object, no false alarm of damage; and to strangers it is a link that is over."""
    raced = await race(stage, act, "erase")
    assert raced.found == []
    assert len(raced.orders) >= steps


@pytest.mark.parametrize("second", ["remove_export", "erase"])
async def test_p_03_an_export_that_is_removed_while_it_is_taken_is_there_or_not(stage: Stage, second: str) -> None:
    raced = await race(stage, "take_export", second)
    assert raced.found == []
    assert len(raced.orders) >= 7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("webhook_enabled", "webhook_disabled_by_officer"),
        ("webhook_removed", "webhook_disabled_by_officer"),
        ("webhook_removed", AGAIN),
        ("webhook_rotated", "webhook_removed"),
    ],
)
async def test_what_an_officer_disabled_stays_so_and_what_was_removed_has_no_keys(
    stage: Stage, first: str, second: str
) -> None:
    raced = await race(stage, first, second)
    assert raced.found == []
    assert len(raced.orders) >= 7


@pytest.mark.parametrize("first", ["seal_again", "seal_completed"])
async def test_a_seal_that_is_forgotten_meanwhile_is_no_fault(stage: Stage, first: str) -> None:
    raced = await race(stage, first, "seals_forgotten", before={"SELECT locker.seal_version"})
    assert raced.found == []
    assert len(raced.orders) == 1


@pytest.mark.parametrize(("first", "second"), [("hold", "retire"), ("retire", "hold")])
async def test_a_document_at_the_end_of_its_retention_is_held_or_gone(stage: Stage, first: str, second: str) -> None:
    raced = await race(stage, first, second)
    assert raced.found == []
    assert len(raced.orders) >= 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("reference_opened", "end_share"),
        ("reference_opened", "revoke"),
        ("opened_picture", "end_share"),
        ("opened_upload", "end_share"),
        ("opened_upload_picture", "upload_to_bin"),
    ],
)
async def test_k_05_what_ends_while_it_is_fetched_or_drawn_is_given_no_more(
    stage: Stage, first: str, second: str
) -> None:
    """Also of what its issuer keeps, whose server may take its time."""
    raced = await race(stage, first, second, before={SLOW[first]})
    assert raced.found == []
    assert raced.orders


async def test_what_went_while_its_issuer_was_asked_is_unknown(stage: Stage) -> None:
    raced = await race(stage, "reference_kept", "retire", before={"put object", "UPDATE locker.reference"})
    assert raced.found == []
    assert len(raced.orders) >= 3


async def test_p_01_what_is_fetched_again_while_its_owner_is_erased_goes_too(stage: Stage) -> None:
    """It has another object now."""
    raced = await race(stage, "reference_read", "erase", before={"UPDATE locker.document", "COMMIT"})
    assert raced.found == []
    assert len(raced.orders) >= 3
