from kit.errors import Invalid, NotFound


class MaterialUnfit(Invalid):
    code, title = "material-unfit", "This is not what a trust list is made of."


class AnchorUnknown(NotFound):
    code, title = "anchor-unknown", "No anchor in force has this fingerprint."


class SourceUnfit(Invalid):
    code, title = "trust-list-source-unfit", "A trust list cannot be followed there."


class ListUnknown(NotFound):
    code, title = "trust-list-unknown", "No trust list is followed at this source."
