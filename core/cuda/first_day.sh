#!/bin/sh
# first_day.sh [--rehearse] [FOLDER]: all that is to be measured when a card is at hand, in at most 15 minutes: facts,
# tests, the race with PyTorch, the published experiment in part, the speedrun. Every step has a time limit and leaves
# what it printed in FOLDER/STEP.txt; steps.jsonl says how each ended; test/cuda/summary.lua holds the results against
# the goals. A step that fails, or lacks something, is named, and the next one runs.
# --rehearse: the same in small on HZ_DEVICE (emu): that the script works; what needs a card or PyTorch is left out.
# HZ_TORCH_PYTHON: a Python with PyTorch (python3). HZ_DATA: the folder of CIFAR-10; without it there is no speedrun.
cd "$(dirname "$0")/../.." || exit 1
rehearse=no
[ "$1" = --rehearse ] && { rehearse=yes; shift; }
case $1 in -*) echo "first_day: '$1' is unknown; takes [--rehearse] [FOLDER]"; exit 2 ;; esac
out=${1:-first_day-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
[ ! -e "$out/steps.jsonl" ] || { echo "first_day: $out holds the results of a day; needs another folder"; exit 2; }
hz=build/hz python=${HZ_TORCH_PYTHON:-python3}
export HZ_RUNS="$out/runs" HZ_CACHE="$out/cache" TORCHINDUCTOR_CACHE_DIR="$out/inductor"
end=$(($(date +%s) + 900))

if [ $rehearse = yes ]; then
    export HZ_DEVICE=${HZ_DEVICE:-emu}
    net=small batches=2 large=2 dtypes=bf16 passes=train seconds=0.01
    curve='steps=2 batch=2' small='--small'
    cells='data=camera train=20 test=10 batch=10 epochs=1 model=small quality=5,25,75'
    spread='train=20 test=10 batch=10 epochs=1 seed=1..2'
    speedrun='data=camera train=20 test=10 batch=10 epochs=1 seed=1 width=0.05 target=0'
else
    export HZ_DEVICE=${HZ_DEVICE:-cuda}
    net=all-cnns batches=128,512,1024,4096 large=1024 dtypes=bf16,f32 passes=train,infer seconds=2
    curve='steps=50 batch=128' small=''
    cells='batch=128 epochs=10 quality=25 model=all-cnns,cnns-x2-dense-128,cnns-dense-128-256'
    spread='seed=1..4'
    speedrun='data=cifar10 seed=1..3'
fi
cifar=yes
if HZ_DEVICE=cpu $hz data list 2>/dev/null | grep -q '^cifar10 *not here'; then
    cifar=no
    [ $rehearse = yes ] || cells="data=camera train=50000 test=10000 $cells"
fi

# ---- steps ----

has_card() { nvidia-smi -L >/dev/null 2>&1; }
has_torch() { "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' >/dev/null 2>&1; }

# What a step needs and this machine lacks; nothing where it can run.
lacking() {
    for need in "$@"; do
        case $need in
            card) [ $rehearse = yes ] || has_card || { echo 'nvidia-smi finds no card'; return; } ;;
            real) [ $rehearse = no ] || { echo 'a rehearsal; needs a card'; return; } ;;
            torch) has_torch || { echo "$python finds no PyTorch with a card (HZ_TORCH_PYTHON)"; return; } ;;
            sanitizer) command -v compute-sanitizer >/dev/null || { echo 'no compute-sanitizer here'; return; } ;;
            cifar) [ $rehearse = yes ] || [ $cifar = yes ] || { echo 'CIFAR-10 is not here (HZ_DATA)'; return; } ;;
        esac
    done
}

record() { echo "$1" >> "$out/steps.jsonl"; }

# step NAME LIMIT 'NEEDS' COMMAND...
step() {
    name=$1 limit=$2 missing=$(lacking $3)
    shift 3
    left=$((end - $(date +%s)))
    [ $left -gt 5 ] || missing=${missing:-the 15 minutes are over}
    if [ -n "$missing" ]; then
        echo "$name: skipped: $missing"
        record "{\"step\":\"$name\",\"skipped\":\"$missing\"}"
        return
    fi
    [ "$limit" -lt $left ] || limit=$left
    began=$(date +%s.%N)
    timeout -k 5 "$limit" "$@" > "$out/$name.txt" 2>&1
    status=$?
    took=$(echo "$began $(date +%s.%N)" | awk '{ printf "%.1f", $2 - $1 }')
    record "{\"step\":\"$name\",\"status\":$status,\"seconds\":$took,\"limit\":$limit}"
    case $status in
        0) echo "$name: $took s" ;;
        124|137) echo "$name: stopped after $limit s; see $out/$name.txt" ;;
        *) echo "$name: failed with status $status after $took s; see $out/$name.txt" ;;
    esac
}

# Whose figures the times are held against.
card=h200
for name in a100 h100 b200; do nvidia-smi -L 2>/dev/null | grep -qi "$name" && card=$name; done

: > "$out/steps.jsonl"
[ $rehearse = no ] || record '{"step":"day","rehearsal":true}'
echo "first day on $HZ_DEVICE; results in $out"

# ---- facts, and whether it is right ----

step facts 20 '' sh -c "date; uname -a; nproc; free -g; $hz version; nvidia-smi; nvidia-smi -q -d CLOCK,POWER,ECC;
    PATH=\$PATH:/sbin ldconfig -p | grep -E 'libcudnn.so|libcuda.so'; command -v nvcc compute-sanitizer ncu
    $python -c 'import torch; print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())'; true"
step selftest 100 card $hz selftest --device "$HZ_DEVICE" $small
step memcheck 60 'real card sanitizer' \
    compute-sanitizer --tool memcheck --error-exitcode 9 $hz selftest --device "$HZ_DEVICE" --small
step racecheck 60 'real card sanitizer' \
    compute-sanitizer --tool racecheck --error-exitcode 9 $hz selftest --device "$HZ_DEVICE" --small
step curves 40 card $hz test/cuda/curves.lua device="$HZ_DEVICE" net=$net $curve json="$out/curves.json"

# ---- how fast ----

step model 40 card $hz bench --net $net --batch $large --dtype bf16 --pass train --model $card \
    --seconds $seconds
step bench 50 card sh -c "$hz bench --net $net --batch $batches --dtype $dtypes \
    --pass $passes --seconds $seconds --json > $out/bench.json"
step race 320 'real torch' "$python" test/peers/torch_cuda.py --limit 240 --seconds 1 --rounds 3 --json "$out/race.json"

# ---- whole trainings ----

step cells 90 card $hz experiments/cifar_sweep.lua preset=paper $cells seed=1 dtype=bf16 parallel=1 controls=false \
    device="$HZ_DEVICE" runs="$out/cells"
step speedrun 60 'card cifar' $hz experiments/cifar_speedrun.lua $speedrun device="$HZ_DEVICE"
step spread 50 card $hz experiments/cifar_sweep.lua preset=quick data=camera quality=raw dtype=f32,bf16 $spread \
    device="$HZ_DEVICE" runs="$out/spread"

HZ_DEVICE=cpu $hz report --json runs="$out/cells" > "$out/cells.json" 2>/dev/null
HZ_DEVICE=cpu $hz report --json runs="$out/spread" > "$out/spread.json" 2>/dev/null
HZ_DEVICE=cpu timeout 20 $hz test/cuda/summary.lua folder="$out" | tee "$out/summary.txt"
