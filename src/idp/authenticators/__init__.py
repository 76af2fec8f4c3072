"""Ways to prove who one is: password, time-based code (TOTP), one-time code by message.

Each kind is one module of pure steps and the actions that use them; passkeys and recovery codes will stand beside them.
"""
