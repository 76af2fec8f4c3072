"""A citizen's signed-in browser. ``current`` finds it, ``start`` opens it, ``end`` and ``end_all_for`` close it.

Refer to a session by its ``sid``: that stays when a step-up or a new authentication changes the cookie.
"""
