from kit.errors import Conflict, NotFound


class RotationUnderWay(Conflict):
    code, title = "rotation-under-way", "A key is announced already; it signs when its time comes."


class KeyUnknown(NotFound):
    code, title = "key-unknown", "There is no key with this kid."
