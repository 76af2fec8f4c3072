#!/bin/sh
# Runs once, when the database cluster is made: three roles with the passwords of their URLs, and the database.
set -eu

# postgresql://role:password@host:port/database
password_of() { sed -e 's#^[^:]*://[^:]*:##' -e 's#@.*$##' "/run/secrets/$1_database_url"; }

psql --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=owner="$(password_of owner)" --set=idp="$(password_of idp)" --set=locker="$(password_of locker)" <<'SQL'
CREATE ROLE owner LOGIN PASSWORD :'owner';
CREATE ROLE idp LOGIN PASSWORD :'idp';
CREATE ROLE locker LOGIN PASSWORD :'locker';
CREATE DATABASE khizana OWNER owner;
REVOKE ALL ON DATABASE khizana FROM PUBLIC;
GRANT CONNECT ON DATABASE khizana TO idp, locker;
SQL
