-- In whose sector a resource server knows citizens: an access token for it carries that pairwise sub.
ALTER TABLE idp.resource ADD COLUMN sector text;
