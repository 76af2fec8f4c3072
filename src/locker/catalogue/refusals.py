from kit.errors import Forbidden, Invalid


class SchemaUnfit(Invalid):
    code, title = "schema-unfit", "This is not a JSON Schema that fields can be checked with."


class TypeNotAllowed(Forbidden):
    """Unknown types look the same: what others deposit is not to be probed."""

    code, title = "type-not-allowed", "This administration may not deposit documents of this type."


class FieldsInvalid(Invalid):
    """``errors`` lists JSON Pointers and the keyword that failed, never a value."""

    code, title = "fields-invalid", "The fields do not fit the schema of this document type."
