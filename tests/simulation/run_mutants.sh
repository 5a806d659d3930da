#!/bin/sh
# run_mutants.sh [--check] [NAME...] - plants each bug of mutants/*.patch into a copy of the tree, builds only `simulate`
# there and wants it found within 2,000 seeds. --check: only that every patch still applies.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
seeds=2000
check=false
if [ "${1:-}" = --check ]; then
    check=true
    shift
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/sheetwire-mutants.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
copy=$folder/tree
mkdir "$copy"
for part in CMakeLists.txt common broker gateway workflow cli tests; do
    cp -R "$tree/$part" "$copy/$part"
done

failed=0
names=${*:-$(cd "$here/mutants" && ls -- *.patch)}

if ! $check; then
    cmake -S "$copy" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo >"$folder/log" 2>&1 &&
        ninja -C "$folder/build" simulate >"$folder/log" 2>&1 || { tail -30 "$folder/log"; exit 1; }
fi

for name in $names; do
    name=${name%.patch}
    patch=$here/mutants/$name.patch
    if ! patch -d "$copy" -p1 -s --dry-run <"$patch" >"$folder/log" 2>&1; then
        printf '%s: does not apply\n' "$name"
        failed=$((failed + 1))
        continue
    fi
    $check && continue
    patch -d "$copy" -p1 -s <"$patch"
    if ! ninja -C "$folder/build" simulate >"$folder/log" 2>&1; then
        printf '%s: does not build\n' "$name"
        tail -5 "$folder/log"
        failed=$((failed + 1))
    elif timeout 300 "$folder/build/simulation/simulate" --seeds $seeds >"$folder/log" 2>&1; then
        printf '%s: NOT found in %s seeds\n' "$name" $seeds
        failed=$((failed + 1))
    elif grep -aq '^seed [0-9]* broke' "$folder/log"; then
        printf '%s: %s\n' "$name" "$(grep -a '^seed [0-9]* broke' "$folder/log" | sed 's/ at .*//')"
    else # a hang or a crash names no promise: the mutant found the simulator out, not the other way round
        printf '%s: ended without naming a broken promise\n' "$name"
        tail -3 "$folder/log"
        failed=$((failed + 1))
    fi
    patch -d "$copy" -p1 -s -R <"$patch"
done
[ $failed = 0 ] || printf '%s mutants are not found\n' $failed
[ $failed = 0 ]
