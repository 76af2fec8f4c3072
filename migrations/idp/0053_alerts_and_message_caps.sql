-- Where a citizen signed in before: a keyed digest of the browser's label and of its network.
CREATE TABLE idp.known_browser (
    citizen_id  uuid        NOT NULL REFERENCES idp.citizen,
    browser_mac bytea       NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (citizen_id, browser_mac)
);
CREATE INDEX known_browser_seen_at ON idp.known_browser (seen_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.known_browser TO idp;

-- "This was not me": the link in an alert. Its one answer ends the session and is bound to the browser that gave it.
CREATE TABLE idp.sign_in_alert (
    token_sha256   bytea       PRIMARY KEY,
    citizen_id     uuid        NOT NULL REFERENCES idp.citizen,
    sid            text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    answered_at    timestamptz,
    browser_sha256 bytea
);
CREATE INDEX sign_in_alert_expires_at ON idp.sign_in_alert (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.sign_in_alert TO idp;

-- Short messages cost money: how many a day went to which part of the numbering plan.
CREATE TABLE idp.sms_day (
    day      date   NOT NULL,
    country  text   NOT NULL,
    messages bigint NOT NULL,
    PRIMARY KEY (day, country)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.sms_day TO idp;
