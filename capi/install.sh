#!/usr/bin/env bash
# Builds libdeltarule and installs it below PREFIX, with nothing but cargo and a C compiler:
#
#     capi/install.sh PREFIX        /usr/local, say; DESTDIR=… puts all of it below another root
#
# lib/libdeltarule.so.0 (and its links), lib/libdeltarule.a, lib/pkgconfig/deltarule.pc, include/deltarule.h. On Linux; elsewhere
# 'cargo cinstall -p deltarule-capi --release --prefix=PREFIX' does it (docs/c.md).
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
case $1 in /*) prefix=$1 ;; *) prefix=$PWD/$1 ;; esac
cd "$(dirname "$0")/.."

version=$(sed -n 's/^#define DELTARULE_VERSION "\(.*\)"/\1/p' capi/include/deltarule.h)
abi=$(sed -n 's/^#define DELTARULE_ABI_VERSION //p' capi/include/deltarule.h)
soname=libdeltarule.so.$abi

# Cargo knows no sonames. What a static library needs of the system is in the compiler's note.
flags=(-C "link-arg=-Wl,-soname,$soname" --print native-static-libs)
notes=$(cargo rustc --quiet --release -p deltarule-capi --lib -- "${flags[@]}" 2>&1 >/dev/null) || { echo "$notes" >&2; exit 1; }
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
mkdir -p "$target"
# An up-to-date build has no note: the one of the build before is kept beside it.
kept=$target/release/libdeltarule_c.native
natives=$(sed -n 's/.*native-static-libs: //p' <<<"$notes")
if [ -n "$natives" ]; then
    echo "$natives" >"$kept"
else
    natives=$(cat "$kept" 2>/dev/null || echo "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc")
fi

root=${DESTDIR:-}$prefix
install -d "$root/lib/pkgconfig" "$root/include"
install -m 644 capi/include/deltarule.h "$root/include/"
install -m 644 "$target/release/libdeltarule_c.a" "$root/lib/libdeltarule.a"
install -m 755 "$target/release/libdeltarule_c.so" "$root/lib/libdeltarule.so.$version"
# The tables of lines are of use to those who debug the library itself, and are nine tenths of it.
if command -v strip >/dev/null; then strip --strip-debug "$root/lib/libdeltarule.a" "$root/lib/libdeltarule.so.$version"; fi
ln -sf "libdeltarule.so.$version" "$root/lib/$soname"
ln -sf "libdeltarule.so.$version" "$root/lib/libdeltarule.so"
cat >"$root/lib/pkgconfig/deltarule.pc" <<PC
prefix=$prefix
exec_prefix=\${prefix}
libdir=\${exec_prefix}/lib
includedir=\${prefix}/include

Name: deltarule
Description: Trains and runs dense neural networks on a CPU
Version: $version
Libs: -L\${libdir} -ldeltarule
Cflags: -I\${includedir}
Libs.private: $natives
PC
echo "installed deltarule $version below $root"
