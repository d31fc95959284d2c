#!/bin/sh
# install.sh PREFIX BUILD: copies what `make` built, and the Lua that it runs, below PREFIX. Paths are found from the
# executable, so the tree may be moved as a whole afterwards.
set -e
prefix=$1
build=$2
install -d "$prefix/bin" "$prefix/lib/hz" "$prefix/lib/pkgconfig" "$prefix/share/hz" "$prefix/include/hz"
install -m 755 "$build/hz" "$prefix/bin/hz"
install -m 755 "$build/libhz.so" "$prefix/lib/hz/libhz.so"
for device in "$build"/libhz_*.so; do
    [ -e "$device" ] && install -m 755 "$device" "$prefix/lib/hz/"
done
for plugin in "$build"/plugins/*.so; do
    [ -e "$plugin" ] && install -d "$prefix/lib/hz/plugins" && install -m 755 "$plugin" "$prefix/lib/hz/plugins/"
done
[ -e "$build/plugins/absent.txt" ] && install -D -m 644 "$build/plugins/absent.txt" "$prefix/lib/hz/plugins/absent.txt"
for folder in lua experiments datasets; do
    find "$folder" -type f \( -name '*.lua' -o -name '*.md' \) | while read -r file; do
        install -D -m 644 "$file" "$prefix/share/hz/$file"
    done
done
install -m 644 core/hz/plugin.h "$prefix/include/hz/plugin.h"
sh .ci/pc.sh '${pcfiledir}/../../include' '${pcfiledir}/../hz/plugins' > "$prefix/lib/pkgconfig/hz.pc"
for file in plugins/README.md $(find plugins/skeleton* plugins/blockdct -type f); do
    install -D -m 644 "$file" "$prefix/share/hz/$file"
done
echo "installed: $prefix/bin/hz, $prefix/lib/hz, $prefix/share/hz, $prefix/include/hz, $prefix/lib/pkgconfig/hz.pc"
echo "experiments: $prefix/share/hz/experiments; hz experiments/NAME.lua finds them from any folder"
