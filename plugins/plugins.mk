# Plugins: each folder plugins/NAME with C files becomes build/plugins/NAME.so if the pkg-config packages in
# NEEDS_NAME are there. A plugin includes hz/plugin.h and its library's headers, and links its library only.
NEEDS_avif = libavif
NEEDS_flac = flac
NEEDS_jpeg = libjpeg
NEEDS_jpeg2000 = libopenjp2
NEEDS_jxl = libjxl
NEEDS_mp3  = lame libmpg123
NEEDS_mpg123 = libmpg123
NEEDS_opus = opus ogg
NEEDS_png  = libpng zlib
NEEDS_sndfile = sndfile
NEEDS_soxr = soxr
NEEDS_vorbis = vorbisenc vorbis ogg
NEEDS_webp = libwebp
NEEDS_xz   = liblzma
NEEDS_xz_audio = liblzma
NEEDS_zimg = zimg
NEEDS_zstd = libzstd
NEEDS_zstd_audio = libzstd

EXAMPLES      = skeleton skeleton_audio
PLUGINS       = $(filter-out $(EXAMPLES),$(patsubst plugins/%/,%,$(sort $(dir $(wildcard plugins/*/*.c)))))
PLUGIN_CFLAGS = -std=gnu99 $(OPT) -g -fPIC -fvisibility=hidden $(WARN) -Icore $(SAN)
plugin_found  = $(if $(NEEDS_$1),$(shell pkg-config --exists $(NEEDS_$1) && echo yes),yes)
plugin_pkg    = $(if $(NEEDS_$1),$(shell pkg-config $2 $(NEEDS_$1) 2>/dev/null))

# $1 = name, $2 = folder below BUILD. NAME.sources.c says which sources it was built from: nothing if sources.txt has
# them, else their digest; core/codec/origin.c reads it.
define plugin_rule
$(BUILD)/$2/$1.sources.c: $(wildcard plugins/$1/*.c plugins/$1/*.h) plugins/sources.txt plugins/plugins.mk
	@mkdir -p $$(@D)
	@d=$$$$(cd plugins/$1 && sha256sum $(notdir $(sort $(wildcard plugins/$1/*.c plugins/$1/*.h))) | sha256sum | \
	 cut -c1-32); grep -q "^$1 .* $$$$d$$$$" plugins/sources.txt && d=; \
	 echo "__attribute__((visibility(\"default\"))) const char hz_plugin_sources[] = \"$$$$d\";" > $$@
$(BUILD)/$2/$1.so: $(wildcard plugins/$1/*.c plugins/$1/*.h) core/hz/plugin.h plugins/plugins.mk \
                   $(BUILD)/$2/$1.sources.c
	@mkdir -p $$(@D)
	$(CC) $$(PLUGIN_CFLAGS) $$(call plugin_pkg,$1,--cflags) -shared -o $$@ $$(filter %.c,$$^) \
	  $$(call plugin_pkg,$1,--libs) -lm -Wl,--no-undefined
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin_rule,$p,plugins)))
$(foreach p,$(EXAMPLES),$(eval $(call plugin_rule,$p,test/plugins)))

PLUGINS_FOUND = $(foreach p,$(PLUGINS),$(if $(call plugin_found,$p),$p))

# What is not there, for `hz plugin list`: plugin, missing library, packages of Debian that bring it.
$(BUILD)/plugins/absent.txt: FORCE
	@mkdir -p $(@D)
	@{ :; $(foreach p,$(filter-out $(PLUGINS_FOUND),$(PLUGINS)),$(foreach n,$(NEEDS_$p),pkg-config --exists $n || \
	 echo $p $n $$(sed -n 's/^pc $n  *| *\([^|]*[^| ]\) *|.*/\1/p' .ci/deps.sh);)) } > $@

plugins: $(BUILD)/plugins/absent.txt
plugins: $(PLUGINS_FOUND:%=$(BUILD)/plugins/%.so)   ## build the codec plugins whose libraries are present
	@$(foreach p,$(PLUGINS),$(if $(filter $p,$(PLUGINS_FOUND)),\
	  echo "$p: $(foreach n,$(NEEDS_$p),$n $(shell pkg-config --modversion $n 2>/dev/null)) -> $(BUILD)/plugins/$p.so";,\
	  echo "$p: $(NEEDS_$p) not found, skipped";))

# For the tests: the examples, codecs of sounds, one that ruins its process (wild.c), and one plugin for each thing
# that a plugin can do wrong otherwise (odd.c).
SOLE = $(patsubst %,$(BUILD)/test/plugins/%.so,pcm halver wild)
# What is bad on purpose is not for the sanitizers to find.
$(BUILD)/test/plugins/wild.so $(BUILD)/test/bad/%.so: override SAN =
$(SOLE): $(BUILD)/test/plugins/%.so: test/plugins/%.c core/hz/plugin.h
	@mkdir -p $(@D)
	$(CC) $(PLUGIN_CFLAGS) -shared -o $@ $< -lm -Wl,--no-undefined
ODD = draft short unnamed closed grammar twice account silent overrun fails shrinks vector
$(BUILD)/test/plugins/odd_%.so: test/plugins/odd.c core/hz/plugin.h
	@mkdir -p $(@D)
	$(CC) $(PLUGIN_CFLAGS) -DODD_$* -shared -o $@ $< -Wl,--no-undefined
# Those that break one promise (bad.c), of images and of sounds, and one in C++ if there is a compiler for it; in a
# folder of their own, as some of them cannot even be loaded.
BAD       = none overrun underrun overdraws stale shared leaks drips maps leaves destroys prints floods inverted \
            swapped exits quits loops sleeps clock rand pid garbage statics falls writes reads hangs swells \
            tables wraps tiny ends grey symbols silent creates opens leaves_open waits turned moved faint bright \
            boasts files static_decode rounds
BAD_SOUND = sound delay clip rate
HAVE_CXX := $(shell command -v g++ 2>/dev/null)
$(BUILD)/test/bad/%.so: test/plugins/bad.c core/hz/plugin.h plugins/plugins.mk
	@mkdir -p $(@D)
	$(CC) $(PLUGIN_CFLAGS) $(if $(filter $*,$(BAD_SOUND:%=bad_%)),-DSOUND) -DNAME=$* -D$(*:bad_%=BAD_%) -shared \
	  -o $@ $< -lm -Wl,--no-undefined
$(BUILD)/test/bad/bad_throws.so: test/plugins/bad.cc test/plugins/bad.c core/hz/plugin.h
	@mkdir -p $(@D)
	g++ $(OPT) -g -fPIC -fvisibility=hidden -Icore $(SAN) -DNAME=bad_throws -shared -o $@ $< -lm
ctests: $(patsubst %,$(BUILD)/test/bad/bad_%.so,$(BAD) $(BAD_SOUND) $(if $(HAVE_CXX),throws))
ctests: $(EXAMPLES:%=$(BUILD)/test/plugins/%.so) $(SOLE) $(ODD:%=$(BUILD)/test/plugins/odd_%.so)
