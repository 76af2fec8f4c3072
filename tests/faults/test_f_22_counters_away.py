"""F-22: attempts are counted in PostgreSQL and nowhere else. While it cannot count, nobody gets an attempt."""

import pytest

from kit.db import Database
from tests.conftest import Dsns
from tests.people import active, first_factor, post, rested, second_factor
from tests.provider import running_provider

pytestmark = pytest.mark.asyncio


async def test_f_22_while_attempts_cannot_be_counted_nobody_gets_one(dsns: Dsns, owner_db: Database) -> None:
    async with running_provider(dsns.idp, dsns.owner) as idp:
        person = await active(idp)
        await rested(idp, person)
        async with idp.browser() as half_way, idp.browser() as fresh:
            assert (await first_factor(half_way, person)).status_code == 303
            async with owner_db.transaction() as tx:
                await tx.execute("LOCK TABLE idp.throttle IN ACCESS EXCLUSIVE MODE")
                # The right password and the right code: a wrong one could be tried without end otherwise.
                for answer in (await first_factor(fresh, person), await second_factor(half_way, person.otp())):
                    assert answer.status_code == 503, answer.text
                    assert int(answer.headers["retry-after"]) > 0
                answer = await post(fresh, "/idp/recover", username=person.uid)
                assert answer.status_code == 503
            assert (await second_factor(half_way, person.otp())).status_code == 303
            assert (await first_factor(fresh, person)).status_code == 303
