"""A session ends: a relying party asks for it, or the citizen does; every client that took part hears of it.

OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0 and Front-Channel Logout 1.0.
"""
