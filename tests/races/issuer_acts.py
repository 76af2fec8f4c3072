"""What waits for its judgement, what its issuer keeps, and seals."""

import base64
import hashlib
import json
import re
import secrets
from typing import Any

from khizana.rounds import quarantine_desk
from kit.audit import Audit
from locker.deposits.judge_again import judge_again
from locker.references.let_go import let_go
from locker.seals.complete import complete_due
from locker.seals.enable import disable
from locker.seals.forget import forget_expired
from locker.trust.add import add
from locker.trust.schema import TrustAddition
from tests.interleaving import Act
from tests.locker_world import BIRTH, INTERIOR, LOCKER, plain_pdf
from tests.races.acts import act
from tests.races.scene import KEPT_AT, SITE, Scene
from tests.unit.locker.seals.sealing_world import SCOPE

# --- deposits that wait


async def _waiting(s: Scene, **members: Any) -> str:
    """Nothing is known of revocation while it comes, and all is when it is judged again."""
    await s.change("DELETE FROM locker.trust_material WHERE kind = 'crl'")
    await s.change("UPDATE locker.trust_version SET version = version + 1")
    answer = await s.deposit(**members)
    assert answer.status_code == 202, answer.text
    world = s.place.world
    crls = [base64.b64encode(crl).decode() for crl in world.pki.crls]
    await add(s.wiring.db, Audit("locker"), TrustAddition(crls=crls), officer="test")
    return str(answer.json()["document_id"])


async def _judged(s: Scene) -> Act:
    desk = quarantine_desk(s.wiring.db, s.wiring.vault, s.wiring.judge, s.wiring.settings)
    return lambda: judge_again(desk)


@act
async def judge(s: Scene) -> Act:
    s.document = await s.once("waiting", _waiting)
    return await _judged(s)


@act
async def judge_successor(s: Scene) -> Act:
    """Of the document that is there from the beginning."""
    await _waiting(s, replaces=s.first)
    return await _judged(s)


@act
async def judge_of_reference(s: Scene) -> Act:
    await _waiting(s, reference=s.reference)
    return await _judged(s)


@act
async def judge_of_two(s: Scene) -> Act:
    other = s.stranger()
    s.neighbour = s.place.world.subs[other]
    s.document = await _waiting(s, uid=None, subjects=[{"uid": s.uid}, {"uid": other}])
    return await _judged(s)


@act
async def revoke_waiting(s: Scene) -> Act:
    s.document = await s.once("waiting", _waiting)
    headers = {**s.place.world.machine(), "Idempotency-Key": f'"{secrets.token_hex(8)}"'}
    body = {"reason": "issued-in-error"}
    return lambda: s.http.post(f"/v1/documents/{s.document}/revoke", headers=headers, json=body)


@act
async def read_waiting(s: Scene) -> Act:
    s.document = await s.once("waiting", _waiting)
    return lambda: s.http.get(f"/v1/deposits/{s.document}", headers=s.place.world.machine())


# --- what its issuer keeps


def _deposit_reference(s: Scene, **members: Any) -> Act:
    url = s.stage.told.site.url(KEPT_AT, host=SITE)
    request = {
        "type": BIRTH,
        "subject": {"uid": s.uid},
        "fields": {"family_name": s.canary},
        "url": url,
        "sha256": hashlib.sha256(s.pdf).hexdigest(),
        **members,
    }
    headers = {**s.place.world.machine(), "Idempotency-Key": f'"{secrets.token_hex(8)}"'}
    return lambda: s.http.post("/v1/deposits/references", headers=headers, content=json.dumps(request))


async def _by_reference(s: Scene) -> str:
    answer = await _deposit_reference(s)()
    assert answer.status_code == 201, answer.text
    s.share_id, s.link = await s.shared(answer.json()["document_id"], view_only=False)
    return str(answer.json()["document_id"])


async def _stale(s: Scene) -> None:
    """The scene's document is one that its issuer keeps, and is asked for again."""
    s.document = await s.once("by reference", _by_reference)
    await s.change(
        "UPDATE locker.reference SET confirmed_at = now() - interval '1 day' WHERE document_id = $1", s.document
    )


@act
async def reference_deposited(s: Scene) -> Act:
    return _deposit_reference(s)


@act
async def reference_superseding(s: Scene) -> Act:
    return _deposit_reference(s, replaces=s.first)


@act
async def reference_read(s: Scene) -> Act:
    await _stale(s)
    return lambda: s.http.get(f"/v1/documents/{s.document}/original", headers=s.token())


@act
async def reference_opened(s: Scene) -> Act:
    await _stale(s)
    opened = (await s.open(s.link)).json()
    viewing = {"Authorization": f"Bearer {opened['viewing_token']}"}
    path = opened["documents"][0]["original"].removeprefix(LOCKER)
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def reference_kept(s: Scene) -> Act:
    await _stale(s)
    browser = await s.browser()
    page = await browser.get(f"/wallet/documents/{s.document}")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf is not None
    said = {"csrf": csrf[1]}
    return lambda: browser.post(f"/wallet/documents/{s.document}/copy", said)


@act
async def reference_let_go(s: Scene) -> Act:
    await _stale(s)
    return lambda: let_go(s.wiring.db, older_than_s=7_200)


@act
async def domain_taken(s: Scene) -> Act:
    """From now on the issuer's address is none of its own."""
    await _stale(s)
    s.domain_taken = True
    return lambda: s.change("DELETE FROM locker.administration_domain WHERE administration = $1", INTERIOR)


# --- seals


def _ask_seal(s: Scene, key: str, level: str) -> Act:
    headers = {**s.place.world.machine(scope=SCOPE), "Idempotency-Key": f'"{key}"'}
    files = {
        "document": ("document.pdf", plain_pdf(s.canary), "application/pdf"),
        "seal": ("seal.json", json.dumps({"level": level}).encode(), "application/json"),
    }
    return lambda: s.http.post("/v1/seals", headers=headers, files=files)


async def _sealed(s: Scene) -> str:
    """Made while no time-stamp authority answered; the authority is back."""
    s.stage.sealing.authority.away = True
    s.wiring.seals.authorities.forget_failures()
    answer = await _ask_seal(s, s.reference, "B-T")()
    s.stage.sealing.authority.away = False
    s.wiring.seals.authorities.forget_failures()
    assert answer.status_code == 201, answer.text
    assert answer.json()["pending"], answer.text
    return str(answer.json()["seal_id"])


@act
async def seal(s: Scene) -> Act:
    return _ask_seal(s, s.reference, "B-T")


@act
async def seal_again(s: Scene) -> Act:
    """Under the key of one that there is."""
    await s.once("seal", _sealed)
    return _ask_seal(s, s.reference, "B-T")


@act
async def seal_completed(s: Scene) -> Act:
    await s.once("seal", _sealed)
    return lambda: complete_due(s.wiring.seals)


@act
async def seal_read(s: Scene) -> Act:
    seal_id = await s.once("seal", _sealed)
    return lambda: s.http.get(f"/v1/seals/{seal_id}", headers=s.place.world.machine(scope=SCOPE))


@act
async def seal_fetched(s: Scene) -> Act:
    seal_id = await s.once("seal", _sealed)
    return lambda: s.http.get(f"/v1/seals/{seal_id}/document", headers=s.place.world.machine(scope=SCOPE))


@act
async def seals_forgotten(s: Scene) -> Act:
    """The seal's time is over, before the act or in it."""
    seal_id = await s.once("seal", _sealed)

    async def run() -> None:
        await s.change("UPDATE locker.seal SET expires_at = now() WHERE seal_id = $1", seal_id)
        await forget_expired(s.wiring.db)

    return run


@act
async def sealing_disabled(s: Scene) -> Act:
    s.sealing_disabled = True
    return lambda: disable(s.wiring.db, s.wiring.audit, administration=INTERIOR, officer="test")
