from kit.errors import Conflict, NotFound


class RotationUnderWay(Conflict):
    code, title = "rotation-under-way", "A key is announced already; it signs when its time comes."


class FolderTaken(Conflict):
    code, title = "keys-folder-taken", "Another command works on these keys. Try again in a moment."


class TooManyKeys(Conflict):
    code, title = "too-many-keys", "The keys folder holds as many keys as are read."


class KeyUnknown(NotFound):
    code, title = "key-unknown", "There is no key with this kid."
