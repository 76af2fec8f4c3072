from tests.attacks.conftest import idp

__all__ = ["idp"]
