#!/bin/sh
# restore.sh FOLDER/TIME: into an empty database (roles made, nothing migrated) and an empty bucket.
#
# The same settings as backup.sh; nothing is overwritten. Afterwards, before a server or worker
# starts: khizana migrate, khizana erase --after-restore, khizana reconcile --restored, khizana audit adopt, khizana doctor.
set -eu
umask 077
backup=${1:?one backup, as backup.sh named it}
(cd "$backup" && sha256sum --check --quiet SHA256SUMS)

there=$(psql --no-psqlrc --tuples-only --no-align --dbname="$KHIZANA_BACKUP_DATABASE_URL" \
    --command="SELECT count(*) FROM pg_namespace WHERE nspname IN ('idp', 'locker')")
if [ "$there" != 0 ]; then
    echo "the database is not empty: make a fresh one" >&2
    exit 1
fi
if [ -n "$(rclone lsf --recursive --files-only --exclude .keep "$KHIZANA_BACKUP_OBJECTS" | head -n 1)" ]; then
    echo "the bucket is not empty: make a fresh one" >&2
    exit 1
fi
if [ -f "$backup/keys.tar" ]; then
    tar --extract --file="$backup/keys.tar" --absolute-names --keep-old-files
fi
# Objects before rows, as a deposit does it.
rclone copy --checksum "$backup/objects" "$KHIZANA_BACKUP_OBJECTS"
pg_restore --exit-on-error --no-owner --single-transaction \
    --dbname="$KHIZANA_BACKUP_DATABASE_URL" "$backup/database.dump"
echo "restored; now: khizana migrate, khizana erase --after-restore, khizana reconcile --restored, khizana audit adopt, khizana doctor"
