from idp.keys.folder import KeyFolder
from idp.keys.ring import KeyPlace
from idp.settings import IdpSettings


def place_of(settings: IdpSettings) -> KeyPlace:
    """Where this deployment keeps its signing keys."""
    return KeyFolder(settings.keys_folder)
