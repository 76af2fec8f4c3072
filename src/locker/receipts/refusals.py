from kit.errors import Invalid


class ReceiptRefused(Invalid):
    code, title = "receipt-refused", "This is no receipt of an access that we signed."


class ReceiptKeyDistrusted(Invalid):
    """Perhaps it is ours; that cannot be told by its signature any more, and the log does not say it."""

    code = "receipt-key-distrusted"
    title = "The key that signed this receipt was stolen, and the log has no such access from before. Ask for it again."
