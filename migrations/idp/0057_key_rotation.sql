-- Whose turn it is to rotate the signing keys: several workers share one folder or device, and one of them acts.
CREATE TABLE idp.key_rotation (
    alg            text        PRIMARY KEY,
    claimed_until  timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON idp.key_rotation TO idp;
