from tests.product import product

__all__ = ["product"]
