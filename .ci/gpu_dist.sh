#!/bin/sh
# gpu_dist.sh BUILD ARCHIVE: packs what was built into one archive that runs on a machine with a driver and glibc alone:
# the executable, the core, devices and plugins, every library they stand on or open later, Lua, experiments, data sets,
# tests, plan packs, the script of the first day. Of cuDNN, libstdc++ and libgcc_s the machine's own are taken: cuDNN
# wants those that it was built beside. LuaJIT is linked in, so that hz itself needs neither. libcurl and what it stands
# on are left out: data are fetched elsewhere and carried along.
# The executable's DT_RPATH leads to BUILD/lib, for its libraries' libraries and those opened by name, too.
set -e
build=$1 archive=$2
MOST=$((55 * 1000 * 1000))
name=$(basename "$archive" .tgz)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir -p "$root/build/plugins" "$root/build/lib"

# ---- what hz is made of ----

static=$(pkg-config --variable=libdir luajit)/libluajit-5.1.a
[ -e "$static" ] || { echo "gpu-dist: $static was not found; needs LuaJIT's static library"; exit 1; }
gcc -rdynamic -o "$root/build/hz" "$build/main.o" -Wl,--whole-archive "$static" -Wl,--no-whole-archive -static-libgcc \
    -L"$build" -lhz -lm -lpthread -ldl -Wl,--disable-new-dtags,-rpath,'$ORIGIN:$ORIGIN/lib'
cp "$build"/libhz*.so "$root/build/"
cp "$build"/plugins/*.so "$build"/plugins/absent.txt "$root/build/plugins/"
git ls-files lua experiments datasets test core/cuda .ci/first_day.sh README.md | grep -v '^core/.*\.[chu]*$' |
    grep -v '^experiments/results/' | tar -cT - | tar -xC "$root"
[ ! -d "$build/packs" ] || cp -r "$build/packs" "$root/build/"

# ---- what that stands on ----

# Names that the doors of lua/hz/ext open; of each library the one that this machine has.
opened() {
    grep -ohE 'lib[a-z0-9]+\.so\.[0-9.]+' lua/hz/ext/*.lua | sort -u | grep -v curl | while read -r so; do
        PATH=$PATH:/sbin:/usr/sbin ldconfig -p | awk -v so="$so" '$1 == so && /x86-64/ { print $NF; exit }'
    done
}

is_the_machines() {
    case $1 in
        ld-linux*|libc.so*|libm.so*|libmvec.so*|libpthread.so*|libdl.so*|librt.so*|libresolv.so*|libutil.so*) ;;
        libstdc++.so*|libgcc_s.so*|libcuda.so*|libcudnn*|libhz*) ;;
        *) return 1 ;;
    esac
}

{ opened; ls "$root"/build/*.so "$root"/build/plugins/*.so; } | while read -r file; do
    case $file in "$root"/*) ;; *) echo "$(basename "$file") $file" ;; esac
    LD_LIBRARY_PATH=$build ldd "$file" | awk '/=> \// { print $1, $3 }'
done | sort -u | while read -r so path; do
    is_the_machines "$so" || cp -L "$path" "$root/build/lib/$so"
done
# A fourth of the archive would be tables of ICU, which libxml2 brings, which libarchive brings for a format that hz
# does not read: an empty table stands for them.
for path in "$root"/build/lib/libicudata.so.*; do
    [ -e "$path" ] || continue
    version=${path##*.so.}
    echo "const char icudt${version}_dat[64] = { 0 };" |
        gcc -x c -shared -fPIC -Wl,-soname,"libicudata.so.$version" -o "$path" -
done
strip --strip-unneeded "$root"/build/hz "$root"/build/*.so "$root"/build/plugins/*.so "$root"/build/lib/*

tar -C "$work" --owner=0 --group=0 -cf - "$name" | gzip -9 > "$archive"
bytes=$(stat -c %s "$archive")
libraries=$(ls "$root/build/lib" | wc -l) unpacked=$(du -sm "$root" | cut -f1)
echo "gpu-dist: $archive: $bytes bytes, $libraries libraries, unpacked $unpacked MB"
[ "$bytes" -lt $MOST ] || { echo "gpu-dist: $archive has $bytes bytes; needs less than $MOST"; exit 1; }
