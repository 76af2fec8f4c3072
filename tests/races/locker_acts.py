"""What citizens, administrations, relying parties and the worker do."""

import secrets
from typing import Any

import msgspec

from khizana.rounds import export_desk, opened_sequencer, sweep_locker
from locker.administrations.suspend import suspend as suspend_administration
from locker.batches.forget_expired import forget_expired as forget_batches
from locker.exporting.make import make_due
from locker.log.sequence import sequence
from locker.requests.register_purpose import withdraw_purpose
from locker.retention.hold import place_hold, release_hold
from locker.retention.remove_overdue import remove_overdue
from locker.shares.settle_ended import settle_ended
from locker.uploads.bin import destroy_due
from tests.interleaving import Act
from tests.locker_world import BIRTH, INTERIOR, LOCKER
from tests.races.acts import act
from tests.races.scene import BANK, PURPOSE, Scene
from tests.unit.locker.batches.zips import Office, line, zipped

# --- links and what they open


@act
async def open_link(s: Scene) -> Act:
    return lambda: s.open(s.link)


@act
async def open_last(s: Scene) -> Act:
    """The only opening that there is."""
    s.share_id, s.link = await s.shared(openings=1)
    return lambda: s.open(s.link)


@act
async def open_with_pin(s: Scene) -> Act:
    s.share_id, s.link = await s.shared(openings=2, pin="123456")
    return lambda: s.open(s.link, json={"pin": "123456"})


@act
async def open_with_wrong_pin(s: Scene) -> Act:
    s.share_id, s.link = await s.shared(openings=2, pin="123456")
    return lambda: s.open(s.link, json={"pin": "654321"})


@act
async def open_code(s: Scene) -> Act:
    body = {"documents": [s.document], "recipient": s.canary, "purpose": s.canary, "face_to_face": True}
    made = (await s.http.post("/v1/shares", headers=s.token(), json=body)).json()
    s.share_id, s.link = made["share_id"], made["url"].removeprefix(LOCKER)
    return lambda: s.open("/code", json={"code": made["code"]})


@act
async def open_fields(s: Scene) -> Act:
    s.share_id, s.link = await s.shared(fields={s.document: ["family_name"]}, view_only=False)
    return lambda: s.open(s.link)


@act
async def open_upload(s: Scene) -> Act:
    upload_id = await s.upload()
    s.share_id, s.link = await s.shared(uploads=[upload_id], view_only=False)
    return lambda: s.open(s.link)


@act
async def open_page(s: Scene) -> Act:
    """In a browser."""
    browser = s.place.browser(f"203.0.113.{secrets.randbelow(250)}")
    shown = await browser.get(s.link)
    return lambda: browser.submit(shown)


@act
async def open_for_client(s: Scene) -> Act:
    s.share_id, s.link = await s.shared(client_id=BANK)
    token = s.place.provider.token(sub=BANK, client_id=BANK, scope="documents:request")
    return lambda: s.open(s.link, headers={"Authorization": f"Bearer {token}"})


@act
async def look_at_link(s: Scene) -> Act:
    return lambda: s.open(s.link, method="GET")


async def _viewing(s: Scene, **limits: Any) -> tuple[dict[str, Any], dict[str, str]]:
    if limits:
        s.share_id, s.link = await s.shared(**limits)
    answer = await s.open(s.link)
    assert answer.status_code == 200, answer.text
    return answer.json(), {"Authorization": f"Bearer {answer.json()['viewing_token']}"}


@act
async def opened_original(s: Scene) -> Act:
    message, viewing = await _viewing(s)
    path = message["documents"][0]["original"].removeprefix(LOCKER)
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def opened_picture(s: Scene) -> Act:
    message, viewing = await _viewing(s)
    path = message["documents"][0]["pictures"][0].removeprefix(LOCKER)
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def opened_credential(s: Scene) -> Act:
    message, viewing = await _viewing(s, fields={s.document: ["family_name"]}, view_only=False)
    path = f"/o/{message['opening_id']}/{s.document}/credential"
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def opened_upload(s: Scene) -> Act:
    upload_id = await s.upload()
    message, viewing = await _viewing(s, uploads=[upload_id], view_only=False)
    path = message["uploads"][0]["file"].removeprefix(LOCKER)
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def opened_upload_picture(s: Scene) -> Act:
    upload_id = await s.upload()
    message, viewing = await _viewing(s, uploads=[upload_id])
    path = message["uploads"][0]["pictures"][0].removeprefix(LOCKER)
    return lambda: s.open(path, method="GET", headers=viewing)


@act
async def prove_access(s: Scene) -> Act:
    message, _ = await _viewing(s)
    await sequenced(s)()
    return lambda: s.open("/v1/receipts/proof", json={"receipt": message["receipt"]})


# --- shares


@act
async def share(s: Scene) -> Act:
    body = {"documents": [s.document], "recipient": s.canary, "purpose": s.canary}
    return lambda: s.http.post("/v1/shares", headers=s.token(), json=body)


@act
async def share_fields(s: Scene) -> Act:
    body = {"documents": [s.document], "recipient": s.canary, "purpose": s.canary,
            "fields": {s.document: ["family_name"]}}  # fmt: skip
    return lambda: s.http.post("/v1/shares", headers=s.token(), json=body)


@act
async def share_face_to_face(s: Scene) -> Act:
    body = {"documents": [s.document], "recipient": s.canary, "purpose": s.canary, "face_to_face": True}
    await s.http.post("/v1/shares", headers=s.token(), json=body)
    return lambda: s.http.post("/v1/shares", headers=s.token(), json=body)


@act
async def share_upload(s: Scene) -> Act:
    upload_id = await s.upload()
    body = {"uploads": [upload_id], "recipient": s.canary, "purpose": s.canary}
    return lambda: s.http.post("/v1/shares", headers=s.token(), json=body)


@act
async def narrow(s: Scene) -> Act:
    return lambda: s.http.patch(f"/v1/shares/{s.share_id}", headers=s.token(), json={"openings": 1})


@act
async def end_share(s: Scene) -> Act:
    return lambda: s.http.delete(f"/v1/shares/{s.share_id}", headers=s.token())


@act
async def end_all_shares(s: Scene) -> Act:
    return lambda: s.http.delete("/v1/shares", headers=s.token())


@act
async def settle_shares(s: Scene) -> Act:
    await s.shared()
    await s.http.delete("/v1/shares", headers=s.token())
    return lambda: settle_ended(s.wiring.db)


@act
async def list_shares(s: Scene) -> Act:
    return lambda: s.http.get("/v1/shares", headers=s.token())


@act
async def read_share(s: Scene) -> Act:
    return lambda: s.http.get(f"/v1/shares/{s.share_id}", headers=s.token())


async def _begun(s: Scene) -> str:
    """A draft that was said to its end; its path."""
    browser = await s.browser()
    page = await browser.get("/wallet/shares/new")
    said: list[dict[str, Any]] = [
        {"document": [s.document]},
        {"recipient": s.canary, "purpose": s.canary},
        {"days": "7", "openings": "3"},
    ]
    for one in said:
        page = await browser.get((await browser.submit(page, **one)).headers["location"])
    return str(page.request.url.path).removesuffix("/check")


async def _draft(s: Scene, step: str) -> tuple[Any, Any]:
    """A browser of its own, and the page of this step of the scene's one draft."""
    draft, browser = await s.once("draft", _begun), await s.browser()
    return browser, await browser.get(f"{draft}/{step}")


@act
async def draft_begun(s: Scene) -> Act:
    browser = await s.browser()
    page = await browser.get("/wallet/shares/new")
    return lambda: browser.submit(page, document=[s.document])


@act
async def draft_recipient(s: Scene) -> Act:
    browser, page = await _draft(s, "recipient")
    return lambda: browser.submit(page, recipient=s.canary, purpose=s.canary)


@act
async def draft_limits(s: Scene) -> Act:
    browser, page = await _draft(s, "limits")
    return lambda: browser.submit(page, days="7", openings="3", pin="123456")


@act
async def draft_fields(s: Scene) -> Act:
    browser, page = await _draft(s, "fields")
    return lambda: browser.submit(page, **{f"fields-{s.document}": ["family_name"]})


@act
async def draft_checked(s: Scene) -> Act:
    browser, page = await _draft(s, "check")
    return lambda: browser.get(page.request.url.path)


@act
async def draft_shared(s: Scene) -> Act:
    browser, page = await _draft(s, "check")
    return lambda: browser.submit(page)


# --- deposits and what issuers say later


@act
async def deposit(s: Scene) -> Act:
    key = secrets.token_hex(8)
    return lambda: s.deposit(key=key)


@act
async def deposit_with_reference(s: Scene) -> Act:
    key = secrets.token_hex(8)
    return lambda: s.deposit(key=key, reference=s.reference)


@act
async def revoke_awaited(s: Scene) -> Act:
    """By a name under which nothing was deposited yet."""
    body = {"reference": s.reference, "reason": "issued-in-error"}
    return lambda: s.http.post("/v1/revocations", headers=s.place.world.machine(), json=body)


@act
async def deposit_first(s: Scene) -> Act:
    """For whom nothing was ever deposited."""
    key = secrets.token_hex(8)
    s.uid = s.stranger()
    s.document = s.link = ""
    return lambda: s.deposit(key=key)


@act
async def supersede(s: Scene) -> Act:
    key = secrets.token_hex(8)
    return lambda: s.deposit(key=key, replaces=s.document)


@act
async def correct(s: Scene) -> Act:
    key = secrets.token_hex(8)
    return lambda: s.deposit(key=key, replaces=s.document, correction="clerical-error")


@act
async def deposit_of_two(s: Scene) -> Act:
    key = secrets.token_hex(8)
    other = s.stranger()
    s.neighbour = s.place.world.subs[other]
    subjects = [{"uid": s.uid}, {"uid": other}]
    return lambda: s.deposit(key=key, uid=None, subjects=subjects)


async def _batch(s: Scene) -> str:
    return await Office(s.place.world).registered(
        [line("A", s.pdf, uid=s.uid, fields={"family_name": s.canary}, reference=s.reference)]
    )


@act
async def batch_registered(s: Scene) -> Act:
    key = secrets.token_hex(8)
    office = Office(s.place.world)
    lines = [line("A", s.pdf, uid=s.uid, fields={"family_name": s.canary})]
    return lambda: office.register(lines, key=key)


@act
async def batch_part(s: Scene) -> Act:
    office, batch_id = Office(s.place.world), await s.once("batch", _batch)
    part = zipped({"A.pdf": s.pdf})
    return lambda: office.send(batch_id, part)


@act
async def batch_superseding(s: Scene) -> Act:
    """A part whose document takes the place of the one that is there."""
    office = Office(s.place.world)
    lines = [line("B", s.pdf, uid=s.uid, fields={"family_name": s.canary}, replaces=s.document)]
    batch_id = await office.registered(lines)
    part = zipped({"B.pdf": s.pdf})
    return lambda: office.send(batch_id, part)


@act
async def batches_forgotten(s: Scene) -> Act:
    """The batch is past its time."""
    batch_id = await s.once("batch", _batch)
    await s.change("UPDATE locker.deposit_batch SET expires_at = now() WHERE batch_id = $1", batch_id)
    return lambda: forget_batches(s.wiring.db)


@act
async def batch_results(s: Scene) -> Act:
    office, batch_id = Office(s.place.world), await s.once("batch", _batch)
    await office.send(batch_id, zipped({"A.pdf": s.pdf}))
    return lambda: office.get(batch_id, "/results")


def _say(s: Scene, verb: str, **body: str) -> Act:
    key = secrets.token_hex(8)
    headers = {**s.place.world.machine(), "Idempotency-Key": f'"{key}"'}
    return lambda: s.http.post(f"/v1/documents/{s.document}/{verb}", headers=headers, json=body)


@act
async def revoke(s: Scene) -> Act:
    return _say(s, "revoke", reason="issued-in-error")


@act
async def suspend(s: Scene) -> Act:
    return _say(s, "suspend", reason="under-review")


@act
async def resume(s: Scene) -> Act:
    await _say(s, "suspend", reason="under-review")()
    return _say(s, "resume")


@act
async def revoke_by_reference(s: Scene) -> Act:
    reference = secrets.token_hex(8)
    s.document = await s.deposited(reference=reference)
    body = {"reference": reference, "reason": "issued-in-error"}
    return lambda: s.http.post("/v1/revocations", headers=s.place.world.machine(), json=body)


@act
async def read_deposit(s: Scene) -> Act:
    return lambda: s.http.get(f"/v1/deposits/{s.document}", headers=s.place.world.machine())


@act
async def suspend_issuer(s: Scene) -> Act:
    s.issuer_suspended = True
    return lambda: suspend_administration(s.wiring.db, s.wiring.audit, INTERIOR, reason="test", officer="test")


# --- what the citizen reads and keeps


def _reads(name: str, path: str, *, wallet: bool = False) -> None:
    async def prepare(s: Scene) -> Act:
        to = path.format(document=s.document, share=s.share_id, uri=f"{INTERIOR}-{BIRTH}-{s.document}")
        if wallet:
            browser = await s.browser()
            return lambda: browser.get(to)
        return lambda: s.http.get(to, headers=s.token())

    prepare.__name__ = name
    act(prepare)


for _name, _path in {
    "list_documents": "/v1/documents",
    "get_document": "/v1/documents/{document}",
    "get_original": "/v1/documents/{document}/original",
    "list_history": "/v1/history",
    "export_history": "/v1/history/export",
    "read_erasure": "/v1/erasure",
    "resolve": "/d/{uri}",
}.items():
    _reads(_name, _path)
for _name, _path in {
    "wallet": "/wallet",
    "wallet_document": "/wallet/documents/{document}",
    "wallet_picture": "/wallet/documents/{document}/pages/1.png",
    "wallet_original": "/wallet/documents/{document}/original",
    "wallet_history": "/wallet/history",
    "wallet_history_csv": "/wallet/history/export.csv",
    "wallet_history_signed": "/wallet/history/export.jsonl",
    "wallet_shares": "/wallet/shares",
    "wallet_share": "/wallet/shares/{share}",
    "wallet_uploads": "/wallet/uploads",
}.items():
    _reads(_name, _path, wallet=True)


@act
async def prove_history(s: Scene) -> Act:
    await sequenced(s)()
    audit_id = await s.one("SELECT audit_id::text FROM locker.log_entry WHERE owner = $1 LIMIT 1", s.owner)
    return lambda: s.http.get(f"/v1/history/{audit_id}/proof", headers=s.token())


@act
async def twin_receipt(s: Scene) -> Act:
    await s.open(s.link)
    opening = await s.one("SELECT opening_id FROM locker.opening WHERE share_id = $1", s.share_id)
    browser = await s.browser()
    return lambda: browser.get(f"/wallet/shares/{s.share_id}/openings/{opening}/receipt")


@act
async def print_copy(s: Scene) -> Act:
    return lambda: s.http.post(f"/v1/documents/{s.document}/printed", headers=s.token(), json={})


@act
async def print_page(s: Scene) -> Act:
    browser = await s.browser()
    page = await browser.get(f"/wallet/documents/{s.document}")
    return lambda: browser.submit(page)


@act
async def check_printed(s: Scene) -> Act:
    text = (await (await print_copy(s))()).json()["address"]
    return lambda: s.open("/v1/printed/checks", json={"text": text})


@act
async def verify(s: Scene) -> Act:
    return lambda: s.open("/v1/verifications", files={"document": ("d.pdf", s.pdf, "application/pdf")})


@act
async def upload(s: Scene) -> Act:
    key = secrets.token_hex(8)
    return lambda: s.uploaded(key=key)


@act
async def upload_to_bin(s: Scene) -> Act:
    upload_id = await s.upload()
    return lambda: s.http.delete(f"/v1/uploads/{upload_id}", headers=s.token())


@act
async def upload_from_bin(s: Scene) -> Act:
    upload_id = await s.upload()
    await s.http.delete(f"/v1/uploads/{upload_id}", headers=s.token())
    return lambda: s.http.post(f"/v1/uploads/{upload_id}/restore", headers=s.token())


@act
async def upload_gone(s: Scene) -> Act:
    upload_id = await s.upload()
    await s.http.delete(f"/v1/uploads/{upload_id}", headers=s.token())
    return lambda: s.http.delete(f"/v1/uploads/{upload_id}?for_good=true", headers=s.token())


@act
async def uploads_emptied(s: Scene) -> Act:
    """Its time in the bin is over."""
    upload_id = await s.upload()
    await s.http.delete(f"/v1/uploads/{upload_id}", headers=s.token())
    await s.change("UPDATE locker.upload SET purge_at = now() WHERE upload_id = $1", upload_id)
    return lambda: destroy_due(s.wiring.db, s.wiring.audit, batch_max=100)


@act
async def upload_read(s: Scene) -> Act:
    upload_id = await s.upload()
    return lambda: s.http.get(f"/v1/uploads/{upload_id}/file", headers=s.token())


@act
async def list_uploads(s: Scene) -> Act:
    await s.upload()
    return lambda: s.http.get("/v1/uploads", headers=s.token())


@act
async def ask_export(s: Scene) -> Act:
    return lambda: s.http.post("/v1/export", headers=s.token())


@act
async def make_export(s: Scene) -> Act:
    await s.http.post("/v1/export", headers=s.token())
    desk = export_desk(s.wiring.db, s.wiring.vault, s.wiring.signing, s.wiring.settings)
    return lambda: make_due(desk)


@act
async def take_export(s: Scene) -> Act:
    await (await make_export(s))()
    return lambda: s.http.get("/v1/export/file", headers=s.token())


@act
async def remove_export(s: Scene) -> Act:
    await (await make_export(s))()
    return lambda: s.http.delete("/v1/export", headers=s.token())


# --- requests of relying parties


async def _asked(s: Scene) -> str:
    answer = await s.http.post("/v1/requests", headers=_bank(s), json={"purpose": PURPOSE})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"].removeprefix(f"{LOCKER}/r/"))


def _bank(s: Scene) -> dict[str, str]:
    token = s.place.provider.token(sub=BANK, client_id=BANK, scope="documents:request")
    return {"Authorization": f"Bearer {token}"}


@act
async def look_at_request(s: Scene) -> Act:
    token = await s.once("request", _asked)
    return lambda: s.http.get(f"/v1/asked/{token}", headers=s.token())


@act
async def give(s: Scene) -> Act:
    token = await s.once("request", _asked)
    return lambda: s.http.post(f"/v1/asked/{token}", headers=s.token(), json={"documents": {BIRTH: s.document}})


@act
async def decline(s: Scene) -> Act:
    token = await s.once("request", _asked)
    return lambda: s.http.post(f"/v1/asked/{token}", headers=s.token(), json={"documents": {}})


@act
async def ask_request(s: Scene) -> Act:
    return lambda: s.http.post("/v1/requests", headers=_bank(s), json={"purpose": PURPOSE})


# --- sessions


@act
async def sign_in(s: Scene) -> Act:
    browser = s.place.browser()
    started = await browser.get("/sign-in")
    back = s.place.provider.authorize(started.headers["location"], s.uid)
    return lambda: browser.get(back.removeprefix(LOCKER))


@act
async def sign_out(s: Scene) -> Act:
    browser = await s.browser()
    return lambda: browser.submit_sign_out()


# --- erasure, retention, the log


@act
async def erase(s: Scene) -> Act:
    return s.erase


@act
async def ask_erasure(s: Scene) -> Act:
    return lambda: s.http.post("/v1/erasure", headers=s.token())


@act
async def undo_erasure(s: Scene) -> Act:
    await s.http.post("/v1/erasure", headers=s.token())
    return lambda: s.http.delete("/v1/erasure", headers=s.token())


@act
async def hold(s: Scene) -> Act:
    return lambda: place_hold(
        s.wiring.db, s.wiring.audit, s.wiring.vault, document_id=s.document, reference="R", officer="o"
    )


@act
async def release(s: Scene) -> Act:
    await (await hold(s))()
    return lambda: release_hold(s.wiring.db, s.wiring.audit, document_id=s.document, reference="R", officer="o")


@act
async def retire(s: Scene) -> Act:
    """The document is past the retention of its type."""
    await s.change("UPDATE locker.document SET deposited_at = now() - interval '90 days' WHERE owner = $1", s.owner)
    return lambda: remove_overdue(s.wiring.db, s.wiring.audit)


def sequenced(s: Scene) -> Act:
    async def run() -> None:
        async with opened_sequencer(s.wiring.db, s.wiring.vault, s.wiring.settings) as sequencer:
            await sequence(sequencer)

    return run


@act
async def take_into_log(s: Scene) -> Act:
    return sequenced(s)


@act
async def swept(s: Scene) -> Act:
    """With its grace: who was stopped for longer leaves an object that a reconciliation finds."""
    settings = msgspec.structs.replace(s.wiring.settings, deposit_intent_grace_s=3_600)
    return lambda: sweep_locker(s.wiring.db, s.wiring.vault, settings)


@act
async def withdraw_the_purpose(s: Scene) -> Act:
    s.purpose_withdrawn = True
    return lambda: withdraw_purpose(s.wiring.db, s.wiring.audit, client_id=BANK, purpose_id=PURPOSE, officer="test")
