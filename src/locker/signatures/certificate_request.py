"""A request for a seal certificate (PKCS #10, RFC 2986) over a key that may live in a device."""

from asn1crypto import algos, csr, keys, pem, x509

from locker.signatures.signing_key import PublicKey, signature_algorithm, spki


def request_info(public: PublicKey, subject: dict[str, str]) -> bytes:
    """What the key signs. ``subject`` is by asn1crypto's names: country_name, organization_name …"""
    return bytes(
        csr.CertificationRequestInfo(
            {
                "version": "v1",
                "subject": x509.Name.build(subject),
                "subject_pk_info": keys.PublicKeyInfo.load(spki(public)),
                "attributes": [],
            }
        ).dump()
    )


def request_pem(info: bytes, public: PublicKey, signature: bytes) -> str:
    algorithm: algos.SignedDigestAlgorithm = signature_algorithm(public, "sha256")
    request = csr.CertificationRequest(
        {
            "certification_request_info": csr.CertificationRequestInfo.load(info),
            "signature_algorithm": algorithm,
            "signature": signature,
        }
    )
    return str(pem.armor("CERTIFICATE REQUEST", request.dump()).decode("ascii"))
