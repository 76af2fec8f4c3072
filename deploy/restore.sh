#!/bin/sh
# restore.sh FOLDER/TIME [TIME.keys.tar]: into an empty database (roles made, nothing migrated) and an empty bucket.
#
# The same settings as backup.sh; nothing is overwritten. Afterwards, before a server or worker
# starts: khizana migrate, khizana erase --after-restore, khizana reconcile --restored, khizana audit adopt, khizana doctor.
set -eu
umask 077
backup=${1:?one backup, as backup.sh named it}
keys=${2:-}
(cd "$backup" && sha256sum --check --quiet SHA256SUMS)
# In the environment: arguments are seen by everybody on the machine. A percent-encoded one stays where it is.
url=$KHIZANA_BACKUP_DATABASE_URL
password=$(printf '%s' "$url" | sed -n 's|^[a-z]*://[^:@/]*:\([^@/%]*\)@.*|\1|p')
if [ -n "$password" ]; then
    export PGPASSWORD="$password"
    url=$(printf '%s' "$url" | sed 's|^\([a-z]*://[^:@/]*\):[^@/]*@|\1@|')
fi

there=$(psql --no-psqlrc --tuples-only --no-align --dbname="$url" \
    --command="SELECT count(*) FROM pg_namespace WHERE nspname IN ('idp', 'locker')")
if [ "$there" != 0 ]; then
    echo "the database is not empty: make a fresh one" >&2
    exit 1
fi
if [ -n "$(rclone lsf --recursive --files-only --exclude .keep "$KHIZANA_BACKUP_OBJECTS" | head -n 1)" ]; then
    echo "the bucket is not empty: make a fresh one" >&2
    exit 1
fi
if [ -n "$keys" ]; then
    # Only into the folders of keys: who could write where archives lie must not write elsewhere by them.
    # shellcheck disable=SC2046,SC2086 - a list of folders
    tar --extract --file="$keys" --directory=/ --keep-old-files \
        $(printf '%s\n' ${KHIZANA_BACKUP_KEYS:?folders of keys} | sed 's|^/*||')
fi
# Objects before rows, as a deposit does it.
rclone copy --checksum "$backup/objects" "$KHIZANA_BACKUP_OBJECTS"
# The marks of who was erased since, from every later backup: khizana erase --after-restore looks for them.
later=
for each in "$(dirname "$backup")"/*Z; do
    if [ -n "$later" ] && [ -d "$each/objects/erased" ]; then
        if (cd "$each" && grep ' \./objects/erased/' SHA256SUMS | sha256sum --check --quiet); then
            rclone copy "$each/objects/erased" "$KHIZANA_BACKUP_OBJECTS/erased"
        else
            echo "$each is damaged: who was erased until then may not be known" >&2
        fi
    fi
    if [ "$(basename "$each")" = "$(basename "$backup")" ]; then
        later=yes
    fi
done
pg_restore --exit-on-error --no-owner --single-transaction \
    --dbname="$url" "$backup/database.dump"
echo "restored; now: khizana migrate, khizana erase --after-restore, khizana reconcile --restored, khizana audit adopt, khizana doctor"
