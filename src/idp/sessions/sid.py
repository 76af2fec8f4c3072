import base64
import hashlib


def sid_at(sid: str, client_id: str) -> str:
    """The session as one client knows it, in ID tokens and at logout ("a session at an RP", Front-Channel Logout §3).

    Like ``sub`` it differs from client to client: a value that two of them shared would name one citizen to both. Our
    own ``sid`` has 125 random bits and stays here, so a digest is enough.
    """
    digest = hashlib.sha256(f"sid|{client_id}|{sid}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
