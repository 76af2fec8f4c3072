-- Which types of authorization details a resource server consumes (RFC 9396 §9): it is told of those and of no others.
ALTER TABLE idp.resource ADD COLUMN details_types text[] NOT NULL DEFAULT '{}';
