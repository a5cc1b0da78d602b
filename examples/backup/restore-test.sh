#!/bin/sh
# Restores the newest dump into a database of its own, and asks that something.
#
# DUMPS     the directory of the dumps
# QUERY     what the restored database must answer with a number greater than 0
#
# The name of a dump from which this was possible is kept in the file `proven`: that dump stays.
set -eu

newest=$(ls "$DUMPS" | grep -E '^dump-[0-9]+\.sql\.gz$' | sort | tail -n 1)
[ -n "$newest" ] || {
    echo "there is no dump in $DUMPS" >&2
    exit 1
}

place=$(mktemp -d "${TMPDIR:-/var/tmp}/restore.XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 1' TERM INT HUP

# The checksum of gzip tells a dump that was damaged.
gzip -dc "$DUMPS/$newest" > "$place/dump.sql"
sqlite3 -bail "$place/restored" < "$place/dump.sql"
whole=$(sqlite3 -bail "$place/restored" "PRAGMA integrity_check")
[ "$whole" = ok ] || {
    echo "$newest: $whole" >&2
    exit 1
}
answer=$(sqlite3 -bail "$place/restored" "$QUERY")
[ "$answer" -gt 0 ] || {
    echo "$newest: $QUERY gives $answer" >&2
    exit 1
}

echo "$newest" > "$DUMPS/proven.new"
sync "$DUMPS/proven.new"
mv "$DUMPS/proven.new" "$DUMPS/proven"
sync "$DUMPS"
echo "restored $newest: $QUERY gives $answer"
