from kit.errors import BodyTooLarge, Invalid, Malformed, Refusal, Unavailable


class FileMissing(Malformed):
    code, title = "file-missing", "Choose a PDF file to verify."


class FileTooLarge(BodyTooLarge):
    code, title = "file-too-large", "This file is larger than what is verified here."

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"at most {max_bytes} bytes", members={"max_bytes": max_bytes})


class TooSlow(Refusal):
    code, status, title = "request-timeout", 408, "This file arrived too slowly."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class NoRoom(Unavailable):
    code, title = "no-room", "There is no room to receive this file now. Try again in a moment."


class AnswerRefused(Malformed):
    """Only what we signed is handed out again as a file of ours."""

    code, title = "answer-refused", "This is not an answer of ours. Verify the document again."


class AnswerKeyDistrusted(Malformed):
    code, title = "answer-key-distrusted", "The key that signed this answer was stolen. Verify the document again."


class AtUnreadable(Malformed):
    code, title = "at-unreadable", "Give the day as 2026-11-28, or the moment as 2026-11-28T12:00:00Z."


class AtInFuture(Invalid):
    """What will be revoked tomorrow nobody knows today."""

    code, title = "at-in-future", "This day has not come yet. Choose today or an earlier day."


class ReportUnknown(Malformed):
    code, title = "report-unknown", "There is no such report. Ask for simple, detailed, etsi or pdf."
