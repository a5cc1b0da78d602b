#!/bin/sh
# Dumps an SQLite database into a new file, and lets go of dumps beyond the newest ones.
#
# DATABASE  the database
# DUMPS     the directory of the dumps
# KEEP      how many of them stay
#
# Dumps are numbered: which of two is newer, no clock can get wrong. The last one from which the
# restore test has restored stays whatever its number is.
set -eu

mkdir -p "$DUMPS"
# Only whole dumps have a number: what a power cut left half done is begun anew.
rm -f "$DUMPS"/new.*

# The numbers of all dumps, the smallest first.
numbers() {
    for file in "$DUMPS"/dump-*.sql.gz; do
        number=${file##*/dump-}
        number=${number%.sql.gz}
        case $number in
            *[!0-9]*) ;;
            *) echo "$number" ;;
        esac
    done | sort -n
}

sqlite3 -bail -readonly "$DATABASE" .dump > "$DUMPS/new.sql"
# A dump that broke off does not end so, and one of a damaged database ends with a rollback.
[ "$(tail -n 1 "$DUMPS/new.sql")" = "COMMIT;" ] || {
    echo "the dump of $DATABASE is not whole" >&2
    exit 1
}
gzip -n "$DUMPS/new.sql"
sync "$DUMPS/new.sql.gz"

last=$(numbers | tail -n 1)
# Without its leading zeroes, which would make it an octal number.
last=$(echo "${last:-0}" | sed 's/^0*//')
next=$(printf %08d $((${last:-0} + 1)))
mv "$DUMPS/new.sql.gz" "$DUMPS/dump-$next.sql.gz"
sync "$DUMPS"
echo "dumped $DATABASE as number $next"

proven=$(cat "$DUMPS/proven" 2>/dev/null || true)
numbers | head -n "-$KEEP" | while read -r number; do
    [ "dump-$number.sql.gz" = "$proven" ] || rm -f "$DUMPS/dump-$number.sql.gz"
done
