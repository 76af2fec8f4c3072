from kit.errors import BodyTooLarge, Conflict, Invalid, Malformed, NotFound


class BatchUnknown(NotFound):
    """Another administration's, an expired one and one that never was look the same."""

    code, title = "batch-unknown", "There is no such batch of yours, or it has expired."


class BatchesFull(Conflict):
    """``max`` says how many."""

    code, title = "batches-full", "You have as many batches as one administration may. They end when they expire."

    def __init__(self, most: int) -> None:
        super().__init__(members={"max": most})


class ManifestTooLarge(BodyTooLarge):
    code, title = "manifest-too-large", "This manifest is too large. Make several batches of it."


class ManifestEmpty(Invalid):
    code, title = "manifest-empty", "This manifest has no line."


class PartMalformed(Malformed):
    code, title = "part-malformed", "Send the documents as one ZIP file or as multipart/form-data."


# Of a line of the manifest.


class LineTooLong(Invalid):
    code, title = "line-too-long", "This line is longer than what is accepted."


class ItemRepeated(Invalid):
    code, title = "item-repeated", "An earlier line of this manifest has the same item identifier."


class FileRepeated(Invalid):
    code, title = "file-repeated", "An earlier line of this manifest has the same file name."


class ReferenceRepeated(Invalid):
    code, title = "reference-repeated", "An earlier line of this manifest has the same reference."


class ReplacesRepeated(Invalid):
    code, title = "replaces-repeated", "An earlier line of this manifest replaces the same document."


# Of an entry of a part: nothing of it was looked at, and its item goes on waiting.


class EntryRefused(Invalid):
    code, title = "entry-malformed", "This entry of the ZIP file contradicts itself."


class EntryEncrypted(EntryRefused):
    code, title = "entry-encrypted", "This entry of the ZIP file is encrypted."


class EntryMethod(EntryRefused):
    code, title = "entry-method", "This entry of the ZIP file is neither stored nor deflated."


class EntryWithoutLength(EntryRefused):
    code, title = "entry-without-length", "This entry of the ZIP file is stored without saying how long it is."


class EntryTooLarge(EntryRefused):
    code, title = "entry-too-large", "This entry holds more than what is accepted."


class EntryRepeated(EntryRefused):
    code, title = "entry-repeated", "An earlier entry of this part has the same name."


class FilesMissing(EntryRefused):
    """Of an item with several files, another item's stood between them, or the part ended."""

    code, title = "files-missing", "All files of an item must stand in one part, one after the other."


class ReplacesAwaited(Conflict):
    code, title = "replaces-awaited", "The item that it replaces is not deposited yet. Send it again afterwards."

    def __init__(self, item: str) -> None:
        super().__init__(members={"replaces_item": item})
        self.item = item


class NotInManifest(EntryRefused):
    code, title = "not-in-manifest", "No line of the manifest has this file name."
