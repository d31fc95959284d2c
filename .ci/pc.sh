#!/bin/sh
# pc.sh INCLUDEDIR PLUGINDIR: prints hz.pc, by which pkg-config finds what plugins are built against.
version=$(sed -n 's/^const char \*hz_version(void) { return "\(.*\)"; }/\1/p' core/base.c)
cat <<END
includedir=$1
plugindir=$2

Name: hz
Description: hz/plugin.h, for codecs that hz loads
Version: $version
Cflags: -I\${includedir}
END
