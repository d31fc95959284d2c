# dnn.mk: cuDNN's plans without a card; included by cuda.mk. All of it needs cudnn.h of cuDNN 9 (CUDNN_HOME); without it
# `make` says so and goes on, and a card runs convolutions by plain kernels.
#   make plans-keys             build/dnn/keys.txt: the convolutions of the networks that are measured
#   make packs CARD=h200        build/packs/TARGET/KEY.plan: plans for that card (core/cuda/dnn/devices), which
#                               libhz_cuda.so looks for in packs/ beside it; the H100 takes those of the H200
#   build/dnn/hz_packs core/cuda/dnn/devices/h200.json FOLDER [off|quick|full] <KEYS     the same by hand
# Fused plans are compiled, so their compiler (NVRTC, through cuDNN) asks for a driver: FAKE names the folder of one
# that knows just enough (test/cuda/fake_libcuda.c). It never leaves this tree: no card runs with it.
CUDNN_HOME ?= $(patsubst %/include/cudnn.h,%,$(firstword $(wildcard $(CUDA_HOME)/include/cudnn.h \
                /usr/local/cuda/include/cudnn.h /usr/include/cudnn.h)))
DNN_C     = $(wildcard core/cuda/dnn/*.c)
DNN_ROWS  = $(patsubst %,core/cuda/dnn/%.c,rows run key)             # for a card and for the emulation
DNN_BARE  = core/cuda/dnn/without.c
DNN_MAINS = $(patsubst %,core/cuda/dnn/%.c,keys packs)
DNN_PLANS = $(filter-out $(DNN_ROWS) $(DNN_BARE) $(DNN_MAINS) core/cuda/dnn/here.c core/cuda/dnn/timer.c,$(DNN_C))
DNN_CUDA  = $(if $(CUDNN_HOME),$(DNN_PLANS) core/cuda/dnn/here.c core/cuda/dnn/timer.c,$(DNN_BARE))
DNN_LIB   = $(patsubst core/cuda/%.c,$(BUILD)/%.o,$(DNN_PLANS) core/cuda/dnn/key.c)
FAKE      = $(BUILD)/test/fake_libcuda

$(BUILD)/dnn/%.o: CFLAGS += $(CUDNN_HOME:%=-isystem %/include)
$(BUILD)/dnn/%.o: core/cuda/dnn/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/dnn/keys.o: $(BUILD)/commit.inc
$(BUILD)/dnn/libhz_keys.so: $(BUILD)/dnn/keys.o $(BUILD)/dnn/key.o
	$(CC) -shared -o $@ $^ $(SAN) -Wl,--no-undefined
$(BUILD)/dnn/hz_packs: $(BUILD)/dnn/packs.o $(DNN_LIB)
	$(CC) -o $@ $^ $(SAN) -ldl
$(FAKE)/libcuda.so.1: test/cuda/fake_libcuda.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(OPT) -fPIC -fvisibility=hidden $(WARN) -shared -Wl,-soname,libcuda.so.1 -o $@ $<

# ---- what is measured: networks by name, batch and type ----
DNN_IMAGES = all-cnns cnns-dense-64 all-cnnsx2
PACK_KEYS ?= $(foreach b,128 512 1024 4096,all-cnns:$(b):bf16) $(foreach n,$(DNN_IMAGES),$(n):128:bf16) \
             airbench:2000:bf16 airbench:1024:bf16 fast:2000:bf16 cnn_x3_mlp_128:50:bf16 panotti:50:bf16
keys_of   = HZ_BACKEND_PATH=$(BUILD)/dnn $(BUILD)/hz core/cuda/dnn/keys.lua $(1) | sort -u > $@.new && mv $@.new $@
KEYS_NEED = core/cuda/dnn/keys.lua $(BUILD)/hz $(BUILD)/dnn/libhz_keys.so $(wildcard lua/hz/net/models/*.lua)
$(BUILD)/dnn/keys.txt: $(KEYS_NEED)
	$(call keys_of,$(PACK_KEYS))
plans-keys: $(BUILD)/dnn/keys.txt

CARD ?= h200
packs: $(BUILD)/dnn/hz_packs $(BUILD)/dnn/keys.txt $(FAKE)/libcuda.so.1
	LD_LIBRARY_PATH=$(FAKE):$(CUDNN_HOME:%=%/lib64:)$$LD_LIBRARY_PATH split -n r/$$(nproc) \
	  --filter='$(BUILD)/dnn/hz_packs core/cuda/dnn/devices/$(CARD).json $(BUILD)/packs $(or $(EFFORT),quick)' \
	  $(BUILD)/dnn/keys.txt

# ---- tests ----
TEST_KEYS = $(foreach t,f32 bf16,$(foreach n,$(DNN_IMAGES) all-cnn-c small,$(n):128:$(t)) airbench:2000:$(t) \
            fast:2000:$(t) cnn_x3_mlp_128:50:$(t) cnn_x4_mlp_128:50:$(t) panotti:50:$(t))
$(BUILD)/test/keys.txt: $(KEYS_NEED)
	@mkdir -p $(@D)
	$(call keys_of,$(TEST_KEYS))
$(BUILD)/test/old_cudnn.so: test/cuda/old_cudnn.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(OPT) -fPIC -fvisibility=hidden $(WARN) -shared -o $@ $<
DNN_TESTS = $(patsubst %,$(BUILD)/test/dnn_%_test,files plans)
DNN_TIMER = $(BUILD)/test/dnn_timer_test
DNN_LINK  = $(SAN) -L$(BUILD) -lhz $(shell pkg-config --libs check) $(LDLIBS) -Wl,-rpath,'$$ORIGIN/..'
DNN_FLAGS = $(CFLAGS) -isystem $(CUDNN_HOME)/include -Itest/c $(shell pkg-config --cflags check)
$(DNN_TESTS): $(BUILD)/test/%: test/cuda/%.c $(DNN_LIB) $(BUILD)/libhz.so \
              | $(BUILD)/test/keys.txt $(FAKE)/libcuda.so.1 $(BUILD)/test/old_cudnn.so
	$(CC) $(DNN_FLAGS) -MMD -MP -MF $@.d -o $@ $< $(DNN_LIB) $(DNN_LINK)
$(BUILD)/test/dnn_timer_test.o: test/cuda/dnn_timer_test.c
	@mkdir -p $(@D)
	$(CC) $(DNN_FLAGS) -MMD -MP -c -o $@ $<
ctests: $(if $(CUDNN_HOME),$(if $(HAVE_CHECK),$(DNN_TESTS) $(if $(HAVE_CXX),$(DNN_TIMER))),no-cudnn)
no-cudnn:
	@echo "devices: no plans by cuDNN (they need cudnn.h, CUDNN_HOME=FOLDER)"

-include $(wildcard $(BUILD)/dnn/*.d) $(DNN_TESTS:=.d) $(DNN_TIMER).d
.PHONY: packs plans-keys no-cudnn
