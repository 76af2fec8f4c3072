-- The other provider at which this session's citizen signed in; NULL where our own factors were used. What guards the
-- account is changed with our own factors only, and the end of a link ends the sessions that it opened.
ALTER TABLE idp.session ADD COLUMN upstream text;
