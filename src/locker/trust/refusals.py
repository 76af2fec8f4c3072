from kit.errors import Invalid, NotFound


class MaterialUnfit(Invalid):
    code, title = "material-unfit", "This is not what a trust list is made of."


class AnchorUnknown(NotFound):
    code, title = "anchor-unknown", "No anchor in force has this fingerprint."
