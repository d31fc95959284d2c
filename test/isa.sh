#!/bin/sh
# isa.sh BUILD: the tests once for every vector level this machine has, capped by HZ_ISA. Status 1 if one failed.
build=$1
failed=0
for isa in portable avx2 avx512 avx512bf16 amx; do
    has=$(HZ_ISA=$isa "$build/hz" version | awk '$1 == "isa" { print $2 }')
    if [ "$has" = "$isa" ]; then
        echo "== HZ_ISA=$isa"
        HZ_ISA=$isa sh test/all.sh "$build" || failed=1
    else
        echo "skip  HZ_ISA=$isa: this machine ends at ${has:-nothing}"
    fi
done
exit $failed
