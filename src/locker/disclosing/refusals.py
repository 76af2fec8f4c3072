from kit.errors import Invalid, NotFound


class FieldUnknown(Invalid):
    code, title = "field-unknown", "The document has no field of this name."


class CredentialUnknown(NotFound):
    code, title = "credential-unknown", "There is no such credential."


class TypeUnknown(NotFound):
    code, title = "type-unknown", "There is no such type of document."
