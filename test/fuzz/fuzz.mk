# libFuzzer over every stream parser (test/c/stream_fuzz.c): the room of codecs, the plugins and the harness built by
# clang with the sanitizers, in BUILD-fuzz. Targets run in turn, SECONDS each, from test/corpus/NAME on.
FUZZ_BUILD   = $(BUILD)-fuzz
FUZZ_CC      = clang
FUZZ_FLAGS   = -O1 -g -fPIC -Icore -I$(BUILD) -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=undefined -fno-omit-frame-pointer -ffp-contract=off
FUZZ_WATCHED = $(filter core/codec/% core/text.c,$(CORE))
FUZZ_CORE    = $(FUZZ_WATCHED:core/%.c=$(FUZZ_BUILD)/%.o) \
               $(patsubst core/%.c,$(BUILD)/%.o,$(filter-out $(FUZZ_WATCHED),$(CORE)))
FUZZ_PLUGINS = $(EXAMPLES) $(PLUGINS_FOUND)
FUZZ_TARGETS = $(or $(TARGET),params chain $(filter-out soxr zimg,$(FUZZ_PLUGINS)))
FUZZ_RUN     = -max_total_time=$(or $(SECONDS),60) -timeout=120 -rss_limit_mb=3000 -max_len=4096 -close_fd_mask=1
# libsndfile leaks of broken Ogg files what libvorbis holds.
FUZZ_LEAKS   = $(if $(filter sndfile,$1),0,1)

$(FUZZ_BUILD)/%.o: core/%.c $(BUILD)/cdef.inc $(BUILD)/commit.inc
	@mkdir -p $(@D)
	$(FUZZ_CC) -std=c11 $(FUZZ_FLAGS) -fvisibility=hidden -MMD -MP -c -o $@ $<
define fuzz_plugin
$(FUZZ_BUILD)/plugins/$1.so: $(wildcard plugins/$1/*.c plugins/$1/*.h) core/hz/plugin.h
	@mkdir -p $$(@D)
	$$(FUZZ_CC) -std=gnu99 $$(FUZZ_FLAGS) -fvisibility=hidden $$(call plugin_pkg,$1,--cflags) -shared -o $$@ \
	  $$(filter %.c,$$^) $$(call plugin_pkg,$1,--libs) -lm
fuzz-$1: $(FUZZ_BUILD)/plugins/$1.so
endef
$(foreach p,$(FUZZ_PLUGINS),$(eval $(call fuzz_plugin,$p)))

# The whole core lies in the harness: nothing of it is hidden from there. Kernels, gcc's alone, are not watched.
$(FUZZ_BUILD)/streams: test/c/stream_fuzz.c test/c/streams.h $(FUZZ_CORE)
	$(FUZZ_CC) -std=c11 $(FUZZ_FLAGS) -fsanitize=fuzzer -rdynamic -o $@ $< $(FUZZ_CORE) $(LDLIBS)

# What was found stays in BUILD-fuzz: NAME.crash-..., all that ran in corpus/NAME.
fuzz-%: $(FUZZ_BUILD)/streams
	@mkdir -p $(FUZZ_BUILD)/corpus/$* test/corpus/$*
	@HZ_FUZZ_TARGET=$* HZ_PLUGIN_PATH=$(FUZZ_BUILD)/plugins \
	 ASAN_OPTIONS=quarantine_size_mb=64:detect_leaks=$(call FUZZ_LEAKS,$*) nice -n 19 $(FUZZ_BUILD)/streams $(FUZZ_RUN) \
	  -artifact_prefix=$(FUZZ_BUILD)/$*. $(FUZZ_BUILD)/corpus/$* test/corpus/$* 2>$(FUZZ_BUILD)/$*.log || \
	  { tail -n 40 $(FUZZ_BUILD)/$*.log; exit 1; }
	@echo "$*: $$(grep -a cov: $(FUZZ_BUILD)/$*.log | tail -n 1)"
fuzz-streams:  ## libFuzzer (clang) over every parser of streams, SECONDS=60 each; TARGET=jpeg alone
	@$(MAKE) --no-print-directory -j1 $(FUZZ_TARGETS:%=fuzz-%)
.PHONY: fuzz-streams
-include $(FUZZ_WATCHED:core/%.c=$(FUZZ_BUILD)/%.d)
