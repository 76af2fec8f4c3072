from kit.errors import NotFound


class NotArchived(NotFound):
    code, title = "not-archived", "There is no archived copy of this document yet."
