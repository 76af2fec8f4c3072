#!/bin/sh
# backup.sh FOLDER: one backup, named by its time, complete or not there.
#
# KHIZANA_BACKUP_DATABASE_URL   a role that may read both schemas (the owner)
# KHIZANA_BACKUP_OBJECTS        what rclone reads the bucket by, as s3:khizana, or a folder
# KHIZANA_BACKUP_KEYS           absolute folders of keys, separated by blanks; empty where keys are kept elsewhere
# KHIZANA_BACKUP_KEYS_FOLDER    where they go, as TIME.keys.tar: never into FOLDER
# KHIZANA_LOCKER_S3_LOG_PREFIX  where the public log stands in the bucket (log)
#
# The database first, the objects after it: a deposit writes its object before its row, so every row that is in the
# dump has its object in the copy. Objects are encrypted; with the keys beside them they are not. The dump is not: what
# stands in the database is as readable there as in the database itself.
set -eu
umask 077
folder=${1:?the folder that holds the backups}
keys=
if [ -n "${KHIZANA_BACKUP_KEYS:-}" ]; then
    keys=${KHIZANA_BACKUP_KEYS_FOLDER:?keys go to a folder of their own}
    mkdir -p "$folder" "$keys"
    case $(cd "$keys" && pwd -P)/ in
        "$(cd "$folder" && pwd -P)"/*)
            echo "with the keys beside it a backup is as good as plain text: another KHIZANA_BACKUP_KEYS_FOLDER" >&2
            exit 1
            ;;
    esac
fi
# In the environment: arguments are seen by everybody on the machine. A percent-encoded one stays where it is.
url=$KHIZANA_BACKUP_DATABASE_URL
password=$(printf '%s' "$url" | sed -n 's|^[a-z]*://[^:@/]*:\([^@/%]*\)@.*|\1|p')
if [ -n "$password" ]; then
    export PGPASSWORD="$password"
    url=$(printf '%s' "$url" | sed 's|^\([a-z]*://[^:@/]*\):[^@/]*@|\1@|')
fi
log=${KHIZANA_LOCKER_S3_LOG_PREFIX:-log}
at=$(date -u +%Y%m%dT%H%M%SZ)
fresh=$folder/.$at.partial
mkdir -p "$fresh/objects"
trap 'rm -rf "$fresh"' EXIT

pg_dump --format=custom --no-owner --schema=idp --schema=locker \
    --file="$fresh/database.dump" "$url"
# The log's checkpoint before its tiles: what it speaks of was written before it.
rclone copy --checksum --include "/$log/checkpoint" "$KHIZANA_BACKUP_OBJECTS" "$fresh/objects"
rclone copy --checksum --exclude "/$log/checkpoint" "$KHIZANA_BACKUP_OBJECTS" "$fresh/objects"
(cd "$fresh" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
if [ -n "$keys" ]; then
    # shellcheck disable=SC2086 - a list of folders; their names in it are relative to the root
    tar --create --file="$keys/$at.keys.tar" --directory=/ $(printf '%s\n' $KHIZANA_BACKUP_KEYS | sed 's|^/*||')
fi
mv "$fresh" "$folder/$at"
trap - EXIT
echo "$folder/$at"
