-- proof_seen took its place (0043); no release that is still about writes or reads it.
DROP TABLE idp.client_assertion;
