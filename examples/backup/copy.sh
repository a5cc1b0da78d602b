#!/bin/sh
# Copies the newest dump to another place.
#
# DUMPS      the directory of the dumps
# ELSEWHERE  a directory on another disk, in which there is a file `backups-go-here`
# KEEP       how many of them stay there
#
# Without that file nothing is copied: a disk that is not mounted is an empty directory of this one.
set -eu

[ -e "$ELSEWHERE/backups-go-here" ] || {
    echo "$ELSEWHERE is not there, or is no place for backups" >&2
    exit 1
}
newest=$(ls "$DUMPS" | grep -E '^dump-[0-9]+\.sql\.gz$' | sort | tail -n 1)
[ -n "$newest" ] || {
    echo "there is no dump in $DUMPS" >&2
    exit 1
}
gzip -t "$DUMPS/$newest"
cp "$DUMPS/$newest" "$ELSEWHERE/new"
sync "$ELSEWHERE/new"
cmp "$DUMPS/$newest" "$ELSEWHERE/new"
mv "$ELSEWHERE/new" "$ELSEWHERE/$newest"
sync "$ELSEWHERE"
echo "copied $newest to $ELSEWHERE"

# There is room for as many as here, and the newest by number stay.
ls "$ELSEWHERE" | grep -E '^dump-[0-9]+\.sql\.gz$' | sort | head -n "-$KEEP" | while read -r old; do
    rm -f "$ELSEWHERE/$old"
done
