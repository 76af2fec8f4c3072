"""Ways to prove who one is: password, passkey, time-based code (TOTP), one-time code by message, recovery code.

Each kind is one module of pure steps and the actions that use them.
"""
