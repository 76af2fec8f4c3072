"""A signature dictionary, opened; pyHanko's, for what pyHanko refuses to open: several signers, a direct dictionary."""

from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, extract_contents


class EmbeddedSignature(EmbeddedPdfSignature):
    """Raises what parsing raises."""

    def __init__(self, reader: PdfFileReader, field: Any, name: str) -> None:
        self.reader = reader
        self.fq_name = name
        self.sig_field = field.get_object()
        value = self.sig_field.raw_get("/V")
        self.sig_object = value.get_object()
        if not isinstance(self.sig_object, generic.DictionaryObject):
            raise PdfReadError("the signature is no dictionary")
        self.byte_range = self.sig_object.raw_get("/ByteRange")
        self.pkcs7_content = extract_contents(self.sig_object)
        self.signed_data = cms.ContentInfo.load(self.pkcs7_content)["content"]
        self.signer_info = self.signed_data["signer_infos"][0]
        holder = value if isinstance(value, generic.IndirectObject) else field
        self.signed_revision = reader.xrefs.get_last_change(holder.reference)
        self._docmdp = None
        self._fieldmdp = None
        self._docmdp_queried = self._fieldmdp_queried = False
