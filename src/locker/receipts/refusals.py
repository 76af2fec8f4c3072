from kit.errors import Invalid


class ReceiptRefused(Invalid):
    code, title = "receipt-refused", "This is no receipt of an access that we signed."
