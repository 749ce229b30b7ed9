#!/usr/bin/env bash
# step.sh NAME WHAT COMMAND...: run a command under one line of progress. What it says goes to .make/NAME.log, and is
# shown only when it fails.
set -uo pipefail

name=$1 what=$2
shift 2
mkdir -p .make
log=.make/$name.log

printf '%s ... ' "$what"
if "$@" >"$log" 2>&1; then
  echo "done (${SECONDS} s)"
else
  status=$?
  echo "FAILED"
  tail -n 60 "$log" >&2
  echo "$what failed: $* exited with $status. The whole output is in $log." >&2
  exit "$status"
fi
