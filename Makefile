# hz: `make help` lists the targets. Nothing is detected silently: `make` prints what it found.
PREFIX   ?= /usr/local
BUILD    ?= build
CC       ?= gcc
OPT      ?= -O2
WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CFLAGS   += -std=c11 $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off $(WARN) -Icore -I$(BUILD) $(SAN)
LDLIBS    = -lm -lpthread -ldl

# A file's name decides its compiler flags: the same algorithm text is compiled once per vector width.
FLAGS_measure/image  = -O3
FLAGS_codec/apart_child = -fno-asynchronous-unwind-tables -fno-unwind-tables
FLAGS_cpu/isa/portable = -O3 -ffp-contract=fast
FLAGS_cpu/isa/avx2 = -O3 -ffp-contract=fast -mavx2 -mfma -mf16c
FLAGS_cpu/isa/avx512 = -O3 -ffp-contract=fast -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512
FLAGS_cpu/isa/avx512bf16 = $(FLAGS_cpu/isa/avx512) -mavx512bf16
FLAGS_cpu/isa/amx = $(FLAGS_cpu/isa/avx512bf16) -mamx-tile -mamx-bf16
FLAGS_finite = -O3
FLAGS_audio/mel = -O3
FLAGS_audio/portable = -O3
FLAGS_audio/avx2 = -O3 -ffp-contract=fast -mavx2 -mfma
FLAGS_audio/avx512 = -O3 -ffp-contract=fast -mavx512f -mavx512dq -mfma

LUAJIT_CFLAGS := $(shell pkg-config --cflags luajit 2>/dev/null)
LUAJIT_LIBS   := $(shell pkg-config --libs luajit 2>/dev/null)
HAVE_CHECK    := $(shell pkg-config --exists check 2>/dev/null && echo yes)

# Public headers in the order of the ladder: each may include only those above it.
HEADERS = base memory tensor op graph backend cpu plan camera strings plugin codec pictures mel sound measure
PUBLIC  = $(wildcard $(HEADERS:%=core/hz/%.h))
ROOMS   = tensor graph op codec measure audio camera strings device cpu \
          $(addprefix cpu/,program ref conv wino pairs pointwise isa)
CORE    = $(filter-out core/main.c,$(wildcard core/*.c)) $(wildcard $(ROOMS:%=core/%/*.c))
OBJ     = $(CORE:core/%.c=$(BUILD)/%.o)

all: tools $(BUILD)/hz $(BUILD)/hz.pc plugins devices  ## build hz and the plugins and devices whose libraries are here

include $(wildcard plugins/plugins.mk)
plugins:
include $(wildcard core/cuda/*.mk)
devices:

tools:
	@command -v $(CC) >/dev/null && pkg-config --exists luajit || \
	 { echo "hz: a C compiler, pkg-config or LuaJIT is missing; run 'make deps'"; exit 1; }

$(BUILD)/cdef.inc: $(PUBLIC) Makefile
	@mkdir -p $(@D)
	@cat $(PUBLIC) | grep -v '^#' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' > $@

$(BUILD)/commit.inc: FORCE
	@mkdir -p $(@D)
	@c=$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown); git diff --quiet HEAD 2>/dev/null || c=$$c+; \
	 echo "\"$$c\"" > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/base.o: $(BUILD)/cdef.inc $(BUILD)/commit.inc
$(BUILD)/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FLAGS_$*) -MMD -MP -c -o $@ $<

$(BUILD)/libhz.so: $(OBJ)
	$(CC) -shared -o $@ $^ $(SAN) $(LDLIBS) -Wl,--no-undefined

$(BUILD)/main.o: CFLAGS += $(LUAJIT_CFLAGS) -DHZ_PREFIX='"$(PREFIX)"'
$(BUILD)/main.o: | tools
$(BUILD)/hz: $(BUILD)/main.o $(BUILD)/libhz.so
	$(CC) -rdynamic -o $@ $< $(SAN) $(LUAJIT_LIBS) -L$(BUILD) -lhz $(LDLIBS) -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../lib/hz'

# For plugins that are built outside of this tree: PKG_CONFIG_PATH=BUILD.
$(BUILD)/hz.pc: .ci/pc.sh core/base.c
	@mkdir -p $(@D)
	@sh .ci/pc.sh '$(CURDIR)/core' '$(abspath $(BUILD))/plugins' > $@

# ---- running and testing ----

CTEST = $(patsubst test/c/%.c,$(BUILD)/test/%,$(wildcard test/c/*_test.c))

$(BUILD)/test/%: test/c/%.c $(BUILD)/libhz.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(shell pkg-config --cflags check) -MMD -MP -MF $@.d -o $@ $< $(SAN) -L$(BUILD) -lhz \
	  $(shell pkg-config --libs check) $(LDLIBS) -Wl,-rpath,'$$ORIGIN/..'

# Devices for the tests: one that opens, and one for each way to be refused.
DEVICES = tin other draft bare short refuses
$(BUILD)/test/devices/libhz_%.so: test/devices/device.c $(PUBLIC) $(BUILD)/commit.inc
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DDEVICE_$* -shared -o $@ $< $(SAN) -Wl,--no-undefined

# Lets file calls and allocations of a program fail: test/faults.lua. Sanitizers have allocators of their own.
FAULTS = $(BUILD)/test/faults.so
$(FAULTS): test/fixtures/faults.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(OPT) -g -fPIC -fvisibility=hidden $(WARN) -shared -o $@ $< -ldl

ctests: $(if $(SAN),,$(FAULTS)) $(if $(HAVE_CHECK),$(CTEST)) $(DEVICES:%=$(BUILD)/test/devices/libhz_%.so)
	@mkdir -p $(BUILD)/test; rm -f $(BUILD)/test/no-check; $(if $(HAVE_CHECK),:,touch $(BUILD)/test/no-check)

PEER = p="$(HZ_TORCH_PYTHON)"; [ -x "$$p" ] || \
  { echo "peers: HZ_TORCH_PYTHON is '$$p'; needs a python with torch (see test/peers/README.md)"; exit 1; }; "$$p"

run: deps  ## install what is missing, build, and run a small compression sweep on the embedded data
	@$(MAKE) --no-print-directory all
	$(BUILD)/hz experiments/cifar_sweep.lua preset=quick data=camera
deps:  ## install what is missing through the system's package manager, saying what and why
	@sh .ci/deps.sh
repl: all  ## the prompt
	@$(BUILD)/hz
# What make knows of libraries it learns when it starts: after an installation it has to start again.
test: deps  ## install what is missing, build, run C and Lua tests; HZ_TEST=PATTERN picks Lua cases
	@$(MAKE) --no-print-directory check
check: all ctests
	@sh test/all.sh $(BUILD)
test-isa: all ctests  ## the tests once for every vector level of this machine, for the cores of either vendor
	@sh test/isa.sh $(BUILD)
test-hard: all ctests  ## the tests with unused memory full of NaN and fences between values (core/graph/hard.c)
	@HZ_HARD=1 sh test/all.sh $(BUILD)
test-far: all ctests  ## the tests on a device whose memory the host cannot touch (core/device/far.c)
	@HZ_DEVICE=far sh test/all.sh $(BUILD)
test-emu: all ctests  ## what is proved of cards without one: kernels, the emulated card, plans by cuDNN
	@$(BUILD)/hz test/run.lua '^emu' '^card' '^cuda:' '^dnn:' '^selftest:' '^late:' '^devices:'
fuzz: all  ## random ops and nets against f64, wrong calls, for SECONDS=300 from SEED=n on; CASE=ops:17 alone
	@$(BUILD)/hz test/fuzz.lua seed=$(or $(SEED),$(shell date +%s)) $(if $(CASE),case=$(CASE),seconds=$(or $(SECONDS),300))
include $(wildcard test/fuzz/fuzz.mk)
faults: all $(FAULTS)  ## kills, full disks, failing allocations (minutes); CASE=sweep:kill:17 (a loss names it) alone
	@$(BUILD)/hz test/faults.lua library=$(FAULTS) seed=$(or $(SEED),1) $(if $(CASE),case=$(CASE))
truth: all  ## how often verdicts are wrong, by simulation (minutes); DRAWS=n of each kind, SEED=n
	@$(BUILD)/hz test/truth.lua draws=$(or $(DRAWS),4000) seed=$(or $(SEED),1)
lint: $(BUILD)/hz  ## the dependency rules and the house rules that a program can check
	@$(BUILD)/hz test/lint.lua
asan:  ## the tests under the address and undefined-behaviour sanitizers, in build-asan
	@HZ_SANITIZER=address ASAN_OPTIONS=allocator_may_return_null=1 \
	 $(MAKE) BUILD=build-asan check \
	  SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
tsan:  ## the tests under the thread sanitizer, in build-tsan
	@HZ_SANITIZER=thread TSAN_OPTIONS=allocator_may_return_null=1:ignore_noninstrumented_modules=1 \
	 $(MAKE) BUILD=build-tsan SAN='-fsanitize=thread -fno-omit-frame-pointer' check
peers: all  ## training steps beside PyTorch, verdicts beside statsmodels (HZ_TORCH_PYTHON, see test/peers/README.md)
	@$(PEER) test/peers/torch_step.py
	@$(PEER) test/peers/torch_optim.py
	@$(PEER) test/peers/airbench_step.py
	@$(PEER) test/peers/statsmodels_verdict.py
	@$(PEER) test/peers/score_test.py
	@$(PEER) test/peers/compare_curves.py
bench-peers: all  ## speed beside PyTorch, oneDNN, TensorFlow, OpenVINO, interleaved (see test/peers/README.md)
	@$(PEER) test/peers/bench_train.py
loc:  ## lines of code by folder
	@git ls-files | grep -E '\.(c|h|lua|inc|def|cu|sh|mk)$$|Makefile$$' | xargs wc -l | awk '$$2 != "total" { \
	 n = split($$2, p, "/"); d = n == 1 ? "." : n == 2 ? p[1] : p[1] "/" p[2]; l[d] += $$1; f[d]++; L += $$1; F++ } \
	 END { row = "%-18s %4d files %7d lines\n"; for (d in l) printf row, d, f[d], l[d] | "sort"; \
	 close("sort"); printf row, "all", F, L }'
install: all  ## copy hz to PREFIX (bin, lib/hz, share/hz)
	@sh .ci/install.sh "$(DESTDIR)$(PREFIX)" $(BUILD)

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(filter-out %.d,$(MAKEFILE_LIST)) | sed -E 's/:.*##/\t/' | sort | expand -t 16
clean:  ## remove what was built
	rm -rf build build-*
FORCE:
.PHONY: all plugins tools ctests deps run repl test check test-isa test-hard test-far test-emu fuzz faults lint asan \
        tsan peers bench-peers loc install help clean FORCE

-include $(OBJ:.o=.d) $(BUILD)/main.d $(CTEST:=.d)
