#!/bin/sh
# gpu_dist_check.sh ARCHIVE: proves that an archive of gpu_dist.sh is complete, as root: unpacks it beside glibc into an
# empty folder, makes that the root of the file system, and there asks hz what it is, trains a small sweep on the CPU
# and has the device HZ_DEVICE (emu, where it is in the archive) test itself.
set -e
archive=$1
name=$(basename "$archive" .tgz)
[ "$(id -u)" = 0 ] || { echo "gpu-dist-check: run by user $(id -u); needs root, for chroot"; exit 1; }
# A name space of its own: what is mounted in it goes with it.
[ -n "$HZ_DIST_ROOT" ] || {
    HZ_DIST_ROOT=$(mktemp -d)
    export HZ_DIST_ROOT
    trap 'rm -rf "$HZ_DIST_ROOT"' EXIT
    trap 'exit 143' TERM INT
    unshare --mount --propagation private sh "$0" "$archive"
    exit
}
root=$HZ_DIST_ROOT
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/lib64"
tar -xzf "$archive" -C "$root"
lib=$(dirname "$(ldd /bin/sh | awk '/libc.so.6/ { print $3 }')")
mkdir -p "$root$lib"
for so in libc.so.6 libm.so.6 libmvec.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libutil.so.1; do
    cp -L "$lib/$so" "$root$lib/"
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
mount -t proc proc "$root/proc"
for node in null zero urandom; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done

inside() {
    echo "gpu-dist-check: hz $*"
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp HZ_THREADS=2 HZ_DEVICE="$device" \
        chroot "$root" "/$name/build/hz" "$@"
}

device=cpu
inside version
inside "/$name/experiments/cifar_sweep.lua" preset=quick data=camera runs=/tmp/runs
for device in cpu $([ ! -e "$root/$name/build/libhz_emu.so" ] || echo emu); do
    inside selftest --small
done
