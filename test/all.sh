#!/bin/sh
# all.sh BUILD: runs the C tests in BUILD/test, then the Lua tests by BUILD/hz, and adds the counts up in one closing
# line. Status 1 if one failed. A C test that crashes counts as one failure.
build=$1
counts=$(mktemp)
output=$(mktemp)
trap 'rm -f "$counts" "$output"' EXIT

for test in "$build"/test/*_test; do
    [ -x "$test" ] || continue
    "$test" >"$output" 2>&1
    status=$?
    cat "$output"
    sed -n 's/^ *[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$output" |
        awk -v status=$status '{ n++; bad += $2 + $3; good += $1 - $2 - $3 }
            END { if (!n || (status && !bad)) bad++; print good + 0, bad + 0, 0 }' >>"$counts"
    [ $status -eq 0 ] || echo "FAIL  $test: status $status"
done
if [ -e "$build/test/no-check" ]; then
    echo "skip  C tests: the library 'check' is not installed (make deps)"
    echo "0 0 1" >>"$counts"
fi

HZ_TEST_COUNTS=$counts HZ_EXE=$(cd "$build" && pwd)/hz "$build/hz" test/run.lua $HZ_TEST >"$output" 2>&1
status=$?
sed '$d' "$output"                                     # its own closing line goes into ours
if ! tail -n 1 "$output" | grep -q ' skipped$'; then
    tail -n 1 "$output"
    echo "FAIL  test/run.lua: status $status"
    echo "0 1 0" >>"$counts"
fi
awk '{ p += $1; f += $2; s += $3 }
    END { print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped"; exit f > 0 }' "$counts"
