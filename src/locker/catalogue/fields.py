"""Fields of a document against the JSON Schema of its type: no network, no value in an answer."""

from collections import OrderedDict
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from locker.catalogue.refusals import FieldsInvalid, SchemaUnfit
from locker.catalogue.schema import DocumentType

_SCHEMA_BYTES_MAX = 65_536
_ERRORS_MAX = 10
_DEPTH_MAX = 16
_COMPILED_MAX = 1_000


class FieldsChecker:
    """Each type's schema is compiled once a version."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, int], tuple[Draft202012Validator, frozenset[str]]] = OrderedDict()

    def check(self, type_: DocumentType, fields: dict[str, Any]) -> None:
        """FieldsInvalid with at most ten errors. Names that the schema does not have stand there as ``*``: they may be
        somebody's."""
        if _depth(fields) > _DEPTH_MAX:
            raise FieldsInvalid(f"more than {_DEPTH_MAX} levels")
        key = (type_.type, type_.version)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = compile_schema(type_.fields), frozenset(_names(type_.fields))
            while len(self._compiled) > _COMPILED_MAX:
                self._compiled.popitem(last=False)
        validator, names = compiled
        errors = []
        for error in validator.iter_errors(fields):
            known = [part if isinstance(part, int) or part in names else "*" for part in error.absolute_path]
            pointer = "".join(f"/{_escaped(str(part))}" for part in known)
            errors.append({"pointer": pointer[:200], "keyword": str(error.validator)})
            if len(errors) == _ERRORS_MAX:
                break
        if errors:
            raise FieldsInvalid(members={"errors": errors})


def compile_schema(schema: dict[str, Any]) -> Draft202012Validator:
    """SchemaUnfit for what is not a schema of an object, is too large, or refers to anything outside itself."""
    if len(msgspec.json.encode(schema)) > _SCHEMA_BYTES_MAX:
        raise SchemaUnfit(f"more than {_SCHEMA_BYTES_MAX} bytes")
    if _depth(schema) > _DEPTH_MAX * 2:
        raise SchemaUnfit("nested too deeply")
    if schema.get("type") != "object":
        raise SchemaUnfit('its type is not "object"')
    if not all(str(reference).startswith("#") for reference in _references(schema)):
        raise SchemaUnfit("$ref stays inside the schema")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise SchemaUnfit(error.json_path) from None
    # An empty registry: nothing is ever fetched, whatever a reference says.
    validator = Draft202012Validator(schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    try:
        validator.is_valid({})
    except Unresolvable:
        raise SchemaUnfit("a $ref leads nowhere") from None
    return validator


def _references(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [found for member in value for found in _references(member)]
    if not isinstance(value, dict):
        return []
    own = [value[keyword] for keyword in ("$ref", "$dynamicRef") if keyword in value]
    return own + [found for member in value.values() for found in _references(member)]


def _names(value: Any) -> list[str]:
    """Of all members that a schema describes."""
    if isinstance(value, list):
        return [found for member in value for found in _names(member)]
    if not isinstance(value, dict):
        return []
    properties = value.get("properties")
    own = list(properties) if isinstance(properties, dict) else []
    return own + [found for member in value.values() for found in _names(member)]


def _depth(value: Any) -> int:
    """Levels of nesting, found without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        if depth > _DEPTH_MAX * 4:
            break
        level = [
            child
            for member in level
            if isinstance(member, dict | list)
            for child in (member.values() if isinstance(member, dict) else member)
        ]
    return depth


def _escaped(part: str) -> str:
    """RFC 6901 §3."""
    return part.replace("~", "~0").replace("/", "~1")
