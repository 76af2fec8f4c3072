#!/bin/sh
# backup.sh FOLDER: one backup, named by its time, complete or not there.
#
# KHIZANA_BACKUP_DATABASE_URL   a role that may read both schemas (the owner)
# KHIZANA_BACKUP_OBJECTS        what rclone reads the bucket by, as s3:khizana, or a folder
# KHIZANA_BACKUP_KEYS           folders of keys, separated by blanks; empty where keys are kept elsewhere
# KHIZANA_LOCKER_S3_LOG_PREFIX  where the public log stands in the bucket (log)
#
# The database first, the objects after it: a deposit writes its object before its row, so every row that is in the
# dump has its object in the copy. Objects are encrypted; with the keys beside them they are not: keep keys.tar apart.
set -eu
umask 077
folder=${1:?the folder that holds the backups}
log=${KHIZANA_LOCKER_S3_LOG_PREFIX:-log}
at=$(date -u +%Y%m%dT%H%M%SZ)
fresh=$folder/.$at.partial
mkdir -p "$fresh"
trap 'rm -rf "$fresh"' EXIT

pg_dump --format=custom --no-owner --schema=idp --schema=locker \
    --file="$fresh/database.dump" "$KHIZANA_BACKUP_DATABASE_URL"
# The log's checkpoint before its tiles: what it speaks of was written before it.
rclone copy --checksum --include "/$log/checkpoint" "$KHIZANA_BACKUP_OBJECTS" "$fresh/objects"
rclone copy --checksum --exclude "/$log/checkpoint" "$KHIZANA_BACKUP_OBJECTS" "$fresh/objects"
if [ -n "${KHIZANA_BACKUP_KEYS:-}" ]; then
    # shellcheck disable=SC2086 - a list of folders
    tar --create --file="$fresh/keys.tar" --absolute-names $KHIZANA_BACKUP_KEYS
fi
(cd "$fresh" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
mv "$fresh" "$folder/$at"
trap - EXIT
echo "$folder/$at"
