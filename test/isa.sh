#!/bin/sh
# isa.sh BUILD: the tests once for every vector level this machine has, capped by HZ_ISA, and there once for the cores
# of each vendor, HZ_CPU. Below avx512bf16 the choice of kernels takes nothing from the vendor: those levels run for the
# other one's cores alone. Status 1 if one failed.
build=$1
failed=0
own=$("$build/hz" -e "print(require 'ffi'.string(require 'hz.c'.C.hz_cpu_vendor()))")
other=$([ "$own" = amd ] && echo intel || echo amd)
for isa in portable avx2 avx512 avx512bf16 amx; do
    has=$(HZ_ISA=$isa "$build/hz" version | awk '$1 == "isa" { print $2 }')
    if [ "$has" = "$isa" ]; then
        case $isa in avx512bf16 | amx) vendors="$own $other" ;; *) vendors=$other ;; esac
        for cpu in $vendors; do
            echo "== HZ_ISA=$isa HZ_CPU=$cpu"
            HZ_ISA=$isa HZ_CPU=$cpu sh test/all.sh "$build" || failed=1
        done
    else
        echo "skip  HZ_ISA=$isa: this machine ends at ${has:-nothing}"
    fi
done
exit $failed
