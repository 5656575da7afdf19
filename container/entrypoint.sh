#!/bin/sh
# The recording INPUT below /data -> its seizures as a HED-SCORE table, OUTPUT below
# /output. DATA_FOLDER and OUTPUT_FOLDER stand in for the two where there is no container.
set -eu

: "${INPUT:?names no recording: set it to a path below /data}"
: "${OUTPUT:?names no table: set it to a path below /output}"
table="${OUTPUT_FOLDER:-/output}/$OUTPUT"

# f32: a score must not depend on the processor that it was made on.
events=$(distilclip detect --precision f32 "${DATA_FOLDER:-/data}/$INPUT")

# Written through what may be there already: evaluators give us an empty file that we may
# write, in a folder that we may not. It stays empty when nothing could be detected.
mkdir -p "$(dirname "$table")"
printf '%s\n' "$events" >"$table"
