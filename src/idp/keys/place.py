from idp.keys.device import KeyDevice
from idp.keys.folder import KeyFolder
from idp.keys.ring import KeyPlace
from idp.settings import IdpSettings


def place_of(settings: IdpSettings) -> KeyPlace:
    """Where this deployment keeps its signing keys: in a device if it names one, else in files."""
    if settings.pkcs11_module is None:
        return KeyFolder(settings.keys_folder)
    assert settings.pkcs11_token is not None
    assert settings.pkcs11_pin is not None
    return KeyDevice(
        settings.pkcs11_module,
        token=settings.pkcs11_token,
        pin=settings.pkcs11_pin,
        remembered_in=settings.keys_folder,
    )
