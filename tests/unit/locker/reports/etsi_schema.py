"""The schema of ETSI TS 119 102-2 with what it imports, from the folder beside this file and never from a network."""

import functools
from pathlib import Path
from typing import Any

from lxml import etree

_FOLDER = Path(__file__).parent / "schemas"
_NAMED = {
    "XAdES.xsd": "XAdES01903v132-202407.xsd",
    "ts_119612v020201_201601xsd.xsd": "ts_119612v020401_xsd.xsd",
}
# http://www.w3.org/2001/xml.xsd, as far as it is used.
_XML = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://www.w3.org/XML/1998/namespace"><xs:attribute name="lang" type="xs:language"/></xs:schema>"""


class _Beside(etree.Resolver):
    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        name = system_url.rsplit("/", 1)[-1]
        file = _FOLDER / _NAMED.get(name, name)
        return self.resolve_string(_XML if name == "xml.xsd" else file.read_bytes(), context, base_url=system_url)


@functools.cache
def schema() -> Any:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Beside())
    return etree.XMLSchema(etree.parse(str(_FOLDER / "TS119102-2-v141.xsd"), parser))
