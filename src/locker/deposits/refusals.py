from typing import Any

from kit.errors import BodyTooLarge, Conflict, Invalid, Malformed, Refusal, Unavailable


class IdempotencyKeyMissing(Malformed):
    code, title = "idempotency-key-missing", "Send an Idempotency-Key, a new one for each deposit."


class IdempotencyKeyInFlight(Conflict):
    code, title = "idempotency-key-in-flight", "A deposit with this Idempotency-Key is being worked on. Ask again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class IdempotencyKeyReused(Invalid):
    code, title = "idempotency-key-reused", "This Idempotency-Key belongs to another deposit."


class DepositOvertaken(Conflict):
    """This attempt took longer than its lease; another one or the sweeper went on without it. Nothing of it stayed."""

    code, title = "deposit-overtaken", "This deposit took too long and was given up. Repeat it."


class MultipartMalformed(Malformed):
    code, title = "multipart-malformed", "Send multipart/form-data with one PDF and one JSON part."


class PartTooLarge(BodyTooLarge):
    """``max_bytes`` says how much is accepted."""

    def __init__(self, part: str, max_bytes: int) -> None:
        super().__init__(f"{part}: at most {max_bytes} bytes", members={"max_bytes": max_bytes})


class TooSlow(Refusal):
    code, status, title = "request-timeout", 408, "This body arrived too slowly."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class NoRoom(Refusal):
    code, status, title = "insufficient-storage", 507, "There is no room left to receive documents. We were told."


class NotPdf(Invalid):
    code, title = "not-a-pdf", "This is not a PDF document."


class DigestMismatch(Invalid):
    code, title = "digest-mismatch", "What arrived is not what the digest in the request says."


class DepositInvalid(Invalid):
    code, title = "deposit-invalid", "The JSON part does not say what a deposit needs."


class SubjectUnknown(Invalid):
    code, title = "subject-unknown", "No citizen is known by this identifier."


class ReplacesUnknown(Invalid):
    """Another's document, another citizen's, another type and a version that is not the last one look the same."""

    code, title = (
        "replaces-unknown",
        "The document to be replaced is not a current one of yours for this citizen and type.",
    )


class VaultFull(Invalid):
    """``limit`` says how much one citizen may hold."""

    code, title = "vault-full", "This citizen's vault is full."

    def __init__(self, **limit: int) -> None:
        super().__init__(members={"limit": limit})


class QuarantineFull(Unavailable):
    """This administration has too many deposits that wait for revocation data; more would only wait with them."""

    code, title = "quarantine-full", "Too many of your deposits wait to be judged. Try again later."


class NotAuthentic(Invalid):
    """``indication`` and ``sub_indication`` are those of ETSI EN 319 102-1 §5.1.3."""

    code, title = "not-authentic", "This document does not carry the seal that it needs, so it was not accepted."

    def __init__(self, detail: str | None, *, indication: str, sub_indication: str | None, **members: Any) -> None:
        super().__init__(detail, members={"indication": indication, "sub_indication": sub_indication, **members})
