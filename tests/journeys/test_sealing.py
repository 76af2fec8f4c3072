"""An administration without a signing service: from the key to a sealed file, at the command line."""

import base64
import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from pyhanko.pdf_utils.reader import PdfFileReader

from kit.jose import LocalKeySet, SigningKey
from tests.certified import certified
from tests.locker_world import plain_pdf
from tests.product import Product
from tests.unit.locker.signatures.signature_pki import crl, pki

ADMINISTRATION, CLIENT = "ma.gov.sante", "ma.gov.sante-backend"


def test_an_administration_has_its_first_document_sealed(product: Product, tmp_path: Path) -> None:
    key = SigningKey.load_or_create(tmp_path / "client.pem", "ES256")
    names = dict.fromkeys(("ar", "fr", "zgh", "en"), "Ministère de la Santé")
    client = {
        "client_id": CLIENT,
        "client_name": "Santé",
        **{f"client_name#{tag}": "Santé" for tag in ("ar", "fr", "zgh")},
        "profile": "machine",
        "sector": ADMINISTRATION,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "scope": "documents:seal",
        "jwks": LocalKeySet([key]).jwks(),
    }
    told = done(product, "client", "register", "--file", "-", stdin=json.dumps(client))
    assert told["client_id"] == CLIENT
    made = done(product, "sealing", "key", ADMINISTRATION, "--organisation", "Ministère de la Santé")
    seal, chain, root = tmp_path / "seal.der", tmp_path / "issuing.der", tmp_path / "root.der"
    now = datetime.now(UTC)
    seal.write_bytes(certified(made["certificate_request"], at=now))
    chain.write_bytes(pki().issuing.der)
    root.write_bytes(pki().root.der)
    registration = json.dumps({"administration": ADMINISTRATION, "names": names, "clients": [CLIENT]})
    done(product, "administration", "register", "--file", "-", "--seal-certificate", str(seal), stdin=registration)
    lists = [base64.b64encode(crl(by, at=now)).decode() for by in (pki().root, pki().issuing)]
    done(product, "trust", "add", "--file", "-", "--anchor", str(root), stdin=json.dumps({"crls": lists}))
    done(product, "sealing", "enable", ADMINISTRATION, "--certificate", str(seal), "--chain", str(chain))

    document = tmp_path / "extract.pdf"
    document.write_bytes(plain_pdf())
    where = ("--locker", product.url, "--issuer", product.issuer)
    by = ("--client-id", CLIENT, "--key", str(tmp_path / "client.pem"), *where)
    sealed = done(product, "seal", str(document), "--level", "B-T", "--stamp", "1,60,60,330,150", *by)
    # The demo has no time-stamp authority: that is said, and the seal is made.
    assert (sealed["level"], sealed["pending"], sealed["indication"]) == ("B-B", "B-T", "TOTAL-PASSED")
    file = Path(sealed["file"])
    assert file == tmp_path / "extract.sealed.pdf"
    [signature] = PdfFileReader(BytesIO(file.read_bytes())).embedded_signatures
    signature.compute_integrity_info()
    assert signature.coverage.name == "ENTIRE_FILE"
    assert "/AP" in signature.sig_field

    refused = product.khizana("seal", str(file), *by)
    assert refused.returncode == 2
    assert "sealing-refused" in refused.stderr
    whole = product.khizana("seal", str(document), "--whole", *by)
    assert "time-stamp-authority-away" in whole.stderr


def done(product: Product, *words: str, stdin: str | None = None) -> dict[str, object]:
    answer = product.khizana(*words, stdin=stdin)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, object] = json.loads(answer.stdout)
    return found
