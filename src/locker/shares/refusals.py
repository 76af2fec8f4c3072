from kit.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests


class ShareClosed(NotFound):
    """Unknown, expired, used up and revoked look the same from outside, so a link cannot be probed."""

    code, title = "share-closed", "This link does not open anything."


class ShareUnknown(NotFound):
    code, title = "share-unknown", "You have no share at this address."


class DraftChanged(Conflict):
    """In another window, since its check was shown: nothing is shared that was not checked."""

    code, title = "draft-changed", "Something here has changed since you looked at it. Check it again."


class WrongPin(Forbidden):
    code, title = "wrong-pin", "This is not the PIN."


class PinLocked(TooManyRequests):
    """The prober, for this link. Anybody else with the right PIN gets in."""

    code, title = "pin-locked", "Too many wrong PINs. Wait, or ask the person who sent you the link for a new one."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s=retry_after_s)


class NotForYou(Forbidden):
    """Bound to one relying party (K-14)."""

    code, title = "not-for-you", "This link was made for one service only, which opens it by signing in."


class NothingShared(Invalid):
    code, title = "nothing-shared", "Choose at least one document or file to share."


class LimitTooWide(Invalid):
    code, title = "limit-too-wide", "This is longer than a share may last. A share can only become narrower."


class LimitsClash(Invalid):
    code, title = "limits-clash", "A share face to face has its own limits: no end, openings, PIN or service of yours."


class FieldsOnly(Forbidden):
    """Nothing of the document but those fields."""

    code, title = "fields-only", "Only some fields of this document were shared."


class NoOriginal(Forbidden):
    code, title = "view-only", "This document was shared to be looked at, not to be downloaded."


class NoCertificate(NotFound):
    code, title = "no-certificate", "There is no certificate of this verification: take the signed answer."


class NotServed(Forbidden):
    """Only the verdict is shown of a document that its issuer stopped."""

    code, title = "not-current", "The issuer does not stand by this document, so it is not shown."


class CodesPaused(TooManyRequests):
    """Too many codes that open nothing, by everybody together. The link and its QR code open as before."""

    code, title = "codes-paused", "Codes are not read for a moment. Scan the QR code instead, or open the link."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s=retry_after_s)
