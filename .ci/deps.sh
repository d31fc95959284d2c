#!/bin/sh
# deps.sh: looks for what hz needs, says what is missing and why, and installs exactly that through the system's
# package manager.
# One row each: probe | Debian and Ubuntu | Fedora | Arch | needed or useful | why
# Probes: cmd NAME (a command), pc NAME (pkg-config), so NAME (a shared library).
table='
cmd gcc           | gcc libc6-dev      | gcc                  | gcc            | needed | compiles the core
cmd make          | make               | make                 | make           | needed | builds
cmd pkg-config    | pkg-config         | pkgconf              | pkgconf        | needed | finds libraries
cmd g++           | g++                | gcc-c++              | gcc            | useful | the emulated card
cmd git           | git                | git                  | git            | useful | commits in records; make lint
pc luajit         | libluajit-5.1-dev  | luajit-devel         | luajit         | needed | the language
pc libjpeg        | libjpeg-dev        | libjpeg-turbo-devel  | libjpeg-turbo  | useful | the JPEG codec
pc libpng         | libpng-dev         | libpng-devel         | libpng         | useful | the PNG codec
pc libwebp        | libwebp-dev        | libwebp-devel        | libwebp        | useful | the WebP codec
pc libavif        | libavif-dev        | libavif-devel        | libavif        | useful | the AVIF codec
pc libopenjp2     | libopenjp2-7-dev   | openjpeg2-devel      | openjpeg2      | useful | the JPEG 2000 codec
pc libjxl         | libjxl-dev         | libjxl-devel         | libjxl         | useful | the JPEG XL codec
pc libzstd        | libzstd-dev        | libzstd-devel        | zstd           | useful | raw images by zstd
pc liblzma        | liblzma-dev        | xz-devel             | xz             | useful | raw images by xz
pc zimg           | libzimg-dev        | zimg-devel           | zimg           | useful | pictures of mixed sizes
pc lame           | libmp3lame-dev     | lame-devel           | lame           | useful | the MP3 codec
pc libmpg123      | libmpg123-dev      | mpg123-devel         | mpg123         | useful | the MP3 codec
pc vorbisenc      | libvorbis-dev      | libvorbis-devel      | libvorbis      | useful | the Vorbis codec
pc opus           | libopus-dev        | opus-devel           | opus           | useful | the Opus codec
pc ogg            | libogg-dev         | libogg-devel         | libogg         | useful | the Vorbis and Opus codecs
pc flac           | libflac-dev        | flac-devel           | flac           | useful | the FLAC codec
pc sndfile        | libsndfile1-dev    | libsndfile-devel     | libsndfile     | useful | files of sound
pc soxr           | libsoxr-dev        | soxr-devel           | libsoxr        | useful | sounds at other rates
pc check          | check              | check-devel          | check          | useful | the C tests
so libopenblas.so.0 | libopenblas0     | openblas             | openblas       | useful | linear algebra at the prompt
so libedit.so     | libedit2           | libedit              | libedit        | useful | line editing at the prompt
so libsqlite3.so.0 | libsqlite3-0      | sqlite-libs          | sqlite         | useful | the index of runs
so libcurl.so.4   | libcurl4           | libcurl              | curl           | useful | hz data fetch
so libarchive.so.13 | libarchive13     | libarchive           | libarchive     | useful | unpacking what was fetched
so libcrypto.so   | libssl3            | openssl-libs         | openssl        | needed | digests of data and results
cmd cjpeg         | libjpeg-turbo-progs | libjpeg-turbo-utils | libjpeg-turbo | useful | the tests of the JPEG codec
cmd cwebp         | webp               | libwebp-tools        | libwebp        | useful | the tests of the WebP codec
cmd avifenc       | libavif-bin        | libavif-tools        | libavif        | useful | the tests of the AVIF codec
cmd opj_compress  | libopenjp2-tools   | openjpeg2-tools      | openjpeg2      | useful | tests of JPEG 2000
cmd cjxl          | libjxl-tools       | libjxl-utils         | libjxl         | useful | the tests of the JPEG XL codec
cmd lame          | lame               | lame                 | lame           | useful | the tests of the MP3 codec
cmd script        | bsdutils           | util-linux-script    | util-linux     | useful | the tests of the prompt
'

has() {
    case $1 in
        cmd) command -v "$2" >/dev/null 2>&1 ;;
        pc)  pkg-config --exists "$2" 2>/dev/null ;;
        so)  PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -qF "$2" ;;
    esac
}

if command -v apt-get >/dev/null; then
    column=2 update='apt-get update -q'
    install='env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends'
elif command -v dnf >/dev/null; then column=3 update=true install='dnf install -y'
elif command -v pacman >/dev/null; then column=4 update=true install='pacman -S --needed --noconfirm'
else column=0
fi

missing='' needed=0
while IFS= read -r row; do
    [ -n "$row" ] || continue
    probe=$(echo "$row" | cut -d'|' -f1)
    # shellcheck disable=SC2086
    has $probe && continue
    package=$(echo "$row" | cut -d'|' -f$((column > 0 ? column : 2)) | xargs)
    kind=$(echo "$row" | cut -d'|' -f5 | xargs)
    echo "deps: missing $package ($kind): $(echo "$row" | cut -d'|' -f6 | xargs)"
    missing="$missing $package"
    [ "$kind" = needed ] && needed=1
done <<END
$table
END

[ -n "$missing" ] || { echo "deps: nothing is missing"; exit 0; }
if [ $column = 0 ]; then
    echo "deps: no apt-get, dnf or pacman here; install the above (Debian's names:$missing) by hand"
    exit $needed
fi
root=''
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: installing needs root; as root, run: $install$missing"; exit $needed; }
    root=sudo
fi
echo "deps: installing$missing"
# A fresh machine has no package lists; only then, or when a package is not found, they are fetched. Useful ones may
# fail singly. shellcheck disable=SC2086
$root $install $missing || { $root $update && $root $install $missing; } || {
    for package in $missing; do $root $install "$package" || echo "deps: $package could not be installed"; done
    exit $needed
}
