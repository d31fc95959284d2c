# hz: `make help` lists the targets. Nothing is detected silently: `make` prints what it found.
PREFIX   ?= /usr/local
BUILD    ?= build
CC       ?= gcc
OPT      ?= -O2
WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CFLAGS   += -std=c11 $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off $(WARN) -Icore -I$(BUILD) $(SAN)
LDLIBS    = -lm -lpthread -ldl

# A file's name decides its compiler flags: the same algorithm text is compiled once per vector width.
FLAGS_isa_portable   = -O3 -ffp-contract=fast
FLAGS_isa_avx2       = -O3 -ffp-contract=fast -mavx2 -mfma -mf16c
FLAGS_isa_avx512     = -O3 -ffp-contract=fast -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512
FLAGS_isa_avx512bf16 = $(FLAGS_isa_avx512) -mavx512bf16

LUAJIT_CFLAGS := $(shell pkg-config --cflags luajit 2>/dev/null)
LUAJIT_LIBS   := $(shell pkg-config --libs luajit 2>/dev/null)

# Public headers in the order of the ladder: each may include only those above it.
HEADERS = base tensor op graph backend plan camera plugin
PUBLIC  = $(wildcard $(HEADERS:%=core/hz/%.h))
CORE    = $(filter-out core/main.c,$(wildcard core/*.c)) $(wildcard core/op/*.c core/cpu/*.c)
OBJ     = $(CORE:core/%.c=$(BUILD)/%.o)

all: $(BUILD)/hz plugins   ## build hz, its library and the plugins whose libraries are present

include $(wildcard plugins/plugins.mk)
plugins:

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
	$(CC) $(CFLAGS) $(FLAGS_$(notdir $*)) -MMD -c -o $@ $<

$(BUILD)/libhz.so: $(OBJ)
	$(CC) -shared -o $@ $^ $(SAN) $(LDLIBS) -Wl,--no-undefined

$(BUILD)/main.o: CFLAGS += $(LUAJIT_CFLAGS) -DHZ_PREFIX='"$(PREFIX)"'
$(BUILD)/hz: $(BUILD)/main.o $(BUILD)/libhz.so
	@test -n "$(LUAJIT_LIBS)" || { echo "luajit: not found; run 'make deps'"; exit 1; }
	$(CC) -rdynamic -o $@ $< $(SAN) $(LUAJIT_LIBS) -L$(BUILD) -lhz $(LDLIBS) -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../lib/hz'

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/' | sort | expand -t 16
clean:  ## remove what was built
	rm -rf build build-*
FORCE:
.PHONY: all plugins help clean FORCE

-include $(OBJ:.o=.d) $(BUILD)/main.d
