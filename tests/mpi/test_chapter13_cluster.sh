# SPDX-License-Identifier: BSD-3-Clause
# As test_chapter13.sh and test_programs.sh, but over servers: ad_capstan.
dir=$(mktemp -d "${TMPDIR:-/tmp}/capstan-13.XXXXXX") || exit 99
capstan=$top_builddir/src/tools/capstan

finish() {
    "$capstan" down --root "$dir/root" >/dev/null 2>&1
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

timeout 60 "$capstan" up --root "$dir/root" --servers 2 >"$dir/up.log" 2>&1 ||
    { cat "$dir/up.log"; exit 1; }
# Ranks beyond the cores starve each other, and the servers, for long.
: "${CAPSTAN_TIMEOUT_MS:=120000}" "${CAPSTAN_TEST_TIMEOUT:=180}"
export CAPSTAN_TIMEOUT_MS CAPSTAN_TEST_TIMEOUT
eval "$("$capstan" env --root "$dir/root")"
CAPSTAN_TEST_REQUESTS=300 CAPSTAN_TEST_PREFIX=capstan:/ sh "$top_srcdir/tests/mpi/test_chapter13.sh" ||
    exit 1
export CAPSTAN_TEST_PREFIX=capstan:/
. "$top_srcdir/tests/mpi/lib.sh"
trap 'rm -rf "$work"; finish' EXIT
each "$top_builddir/tests/mpi/test_basics" "$files"
# The other ways between processes of one machine.
ranks=2
for way in CAPSTAN_LANES=0 CAPSTAN_NO_SHORTCUT=1; do
    export "$way"
    each "$top_builddir/tests/mpi/test_basics" "$files"
    each "$top_builddir/tests/mpi/test_requests" "$files" 100
    unset "${way%=*}"
done
