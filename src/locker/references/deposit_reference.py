import hashlib

import msgspec

from kit.errors import Refusal
from locker.administrations.find_domains import find_domains
from locker.administrations.identify import identify
from locker.administrations.schema import Depositor
from locker.deposits import receive
from locker.deposits.decode import decode
from locker.deposits.deposit import answered
from locker.deposits.examine import examine
from locker.deposits.keep import keep
from locker.deposits.once import Attempt, once
from locker.deposits.record_refusal import record_refusal
from locker.deposits.refusals import IdempotencyKeyInFlight
from locker.deposits.schema import Deposited, Quarantined
from locker.references.check_address import check_address
from locker.references.desk import ReferenceDesk
from locker.references.fetch_pdf import NotFetched, fetch_pdf
from locker.references.refusals import NothingThere
from locker.references.schema import ReferenceRequest


async def deposit_reference(
    desk: ReferenceDesk, body: bytes, *, client_id: str, idempotency_key: str
) -> Deposited | Quarantined:
    """A deposit whose bytes come from the issuer's address: fetched, and then judged, quarantined or refused as if they
    had been sent. Raises AddressUnfit, NothingThere and what a deposit raises.
    """
    deposits = desk.deposits
    depositor = await identify(deposits.db, client_id=client_id)
    await deposits.throttle.count(deposits.db, deposits.limits.per_client, client_id)
    try:
        request = decode(body, ReferenceRequest)
        return await once(
            deposits.db,
            lambda attempt: _deposit(desk, body, request, depositor, attempt),
            again=answered,
            client_id=client_id,
            key=idempotency_key,
            request_sha256=hashlib.sha256(b"reference|" + body).digest(),
            lease_s=deposits.limits.lease_s,
            lifetime_s=deposits.limits.lifetime_s,
        )
    except Refusal as refusal:
        if refusal.status < 500 and not isinstance(refusal, IdempotencyKeyInFlight):
            await record_refusal(deposits, depositor, refusal, client_id=client_id)
        raise


async def _deposit(
    desk: ReferenceDesk, body: bytes, request: ReferenceRequest, depositor: Depositor, attempt: Attempt
) -> Deposited | Quarantined:
    deposits = desk.deposits
    domains = await find_domains(deposits.db, administration=depositor.administration)
    check_address(request.url, domains, loopback_allowed=desk.fetcher.loopback_allowed)
    sha256 = bytes.fromhex(request.sha256)
    try:
        fetched = fetch_pdf(desk, request.url, sha256=sha256, administration=depositor.administration)
        async with fetched as (pdf, length):
            # Not before: whoever waits for a slow issuer has no place that others need.
            with deposits.places.of(depositor.administration):
                received = receive.Received(pdf=pdf, pdf_sha256=sha256, pdf_length=length, deposit=body)
                examined = await examine(deposits, received, request, depositor, client_id=attempt.client_id)
                return await keep(
                    deposits,
                    received,
                    msgspec.structs.replace(examined, url=request.url),
                    depositor,
                    client_id=attempt.client_id,
                    settle=attempt.answer,
                )
    except NotFetched as reason:
        raise NothingThere(reason.reason) from None
