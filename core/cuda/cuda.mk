# cuda.mk: the devices in shared objects: libhz_cuda.so where nvcc is found, libhz_emu.so, the same sources over an
# emulation of the card, where a C++ compiler is. The rest of hz needs neither.
CXX      ?= g++
NVCC     ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_HOME = $(patsubst %/bin/nvcc,%,$(NVCC))
HAVE_CXX := $(shell command -v $(CXX) 2>/dev/null)

include core/cuda/dnn/dnn.mk
LT_HEADER = $(wildcard $(CUDA_HOME)/include/cublasLt.h)
LT_CUDA  = core/cuda/blas_$(if $(LT_HEADER),lt,none).c
CARD_C   = $(filter-out core/cuda/blas_%.c,$(wildcard core/cuda/*.c)) $(DNN_ROWS)
CARD_CU  = $(wildcard core/cuda/kern/*.cu core/cuda/dnn/*.cu)
EMU_C    = $(filter-out core/cuda/runtime_cuda.c,$(CARD_C))
EMU_OBJ  = $(EMU_C:core/cuda/%.c=$(BUILD)/emu/%.o) $(CARD_CU:core/cuda/%.cu=$(BUILD)/emu/%.o) \
           $(patsubst core/cuda/%,$(BUILD)/emu/%.o,$(basename $(wildcard core/cuda/emu/*.cc core/cuda/emu/*.cu)))
EMU_FLAGS = -std=c++17 $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off -fno-exceptions -fno-rtti -Wall -Wextra \
            -Wno-unused-parameter -Wno-missing-field-initializers -Icore -I$(BUILD) $(SAN)

devices: $(if $(HAVE_CXX),$(BUILD)/libhz_emu.so,no-emu) $(if $(NVCC),$(BUILD)/libhz_cuda.so,no-cuda)
no-emu:
	@echo "devices: no emu (it needs a C++ compiler, CXX=$(CXX))"
no-cuda:
	@echo "devices: no cuda (it needs nvcc, NVCC=FILE)"

# ---- cuda: PTX of the last for cards that come later ----
CUDA_ARCHS ?= 75 80 90 100 120
CUDA_LAST   = $(lastword $(CUDA_ARCHS))
CUDA_ARCH   = $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
              -gencode arch=compute_$(CUDA_LAST),code=compute_$(CUDA_LAST)
CUDA_OBJ    = $(patsubst core/cuda/%.c,$(BUILD)/cuda/%.o,$(CARD_C) $(LT_CUDA) $(DNN_CUDA)) \
              $(CARD_CU:core/cuda/%.cu=$(BUILD)/cuda/%.o)
# Without these flags nvcc's host code wants libstdc++; with them the shared object needs libc alone.
CUDA_HOST   = -fPIC,-fvisibility=hidden,-fno-threadsafe-statics,-fno-exceptions,-fno-rtti

$(BUILD)/cuda/device.o: $(BUILD)/commit.inc
$(BUILD)/cuda/%.o: core/cuda/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -isystem $(CUDA_HOME)/include $(CUDNN_HOME:%=-isystem %/include) -MMD -MP -c -o $@ $<
$(BUILD)/cuda/%.o: core/cuda/%.cu
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 $(CUDA_ARCH) -t2 -Icore -I$(BUILD) -Xcompiler $(CUDA_HOST) -Xptxas -v -MMD -MP -c -o $@ $< \
	  2> $@.log || { cat $@.log; exit 1; }
$(BUILD)/libhz_cuda.so: $(CUDA_OBJ)
	$(CC) -shared -o $@ $^ -L$(CUDA_HOME)/lib64 -L$(CUDA_HOME)/lib -lcudart_static -lculibos -lrt -lpthread -ldl \
	  -Wl,--no-undefined,--exclude-libs,ALL

# ---- emu ----

$(BUILD)/emu/device.o: $(BUILD)/commit.inc
$(BUILD)/emu/%.o: core/cuda/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/emu/%.o: core/cuda/%.cu
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -x c++ -MMD -MP -c -o $@ $<
$(BUILD)/emu/%.o: core/cuda/%.cc
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/libhz_emu.so: $(EMU_OBJ)
	$(CXX) -shared -o $@ $^ $(if $(SAN),$(SAN),-static-libstdc++ -static-libgcc) -Wl,--no-undefined

# The same under sanitizers, for a process that has their runtime: LD_PRELOAD, HZ_BACKEND_PATH=$(BUILD)/asan.
ASAN_SAN = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_OBJ = $(EMU_OBJ:$(BUILD)/emu/%=$(BUILD)/asan/%)
ctests: $(if $(HAVE_CXX),$(if $(SAN),,$(BUILD)/asan/libhz_emu.so))
$(BUILD)/asan/device.o: $(BUILD)/commit.inc
$(BUILD)/asan/%.o: core/cuda/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O1 $(ASAN_SAN) -MMD -MP -c -o $@ $<
$(BUILD)/asan/%.o: core/cuda/%.cu
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -O1 $(ASAN_SAN) -x c++ -MMD -MP -c -o $@ $<
$(BUILD)/asan/%.o: core/cuda/%.cc
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -O1 $(ASAN_SAN) -MMD -MP -c -o $@ $<
$(BUILD)/asan/libhz_emu.so: $(ASAN_OBJ)
	$(CXX) -shared -o $@ $^ $(ASAN_SAN)

$(DNN_TIMER): $(BUILD)/test/dnn_timer_test.o $(BUILD)/dnn/timer.o $(EMU_OBJ) $(BUILD)/libhz.so
	$(CXX) -o $@ $(filter %.o,$^) $(DNN_LINK)

# ---- tests: faults that the emulation must find, and the same under sanitizers ----
PLANTED_SRC = test/cuda/planted.cu core/cuda/emu/shim.cc core/cuda/emu/runtime.cc
ctests: $(if $(HAVE_CXX),$(BUILD)/test/planted $(if $(SAN),,$(BUILD)/test/planted-asan))
$(BUILD)/test/planted: $(PLANTED_SRC) $(wildcard core/cuda/*.h core/cuda/emu/*.h)
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -x c++ -o $@ $(PLANTED_SRC)
$(BUILD)/test/planted-asan: $(PLANTED_SRC) $(wildcard core/cuda/*.h core/cuda/emu/*.h)
	@mkdir -p $(@D)
	$(CXX) $(EMU_FLAGS) -fsanitize=address,undefined -fno-sanitize-recover=undefined -x c++ -o $@ $(PLANTED_SRC)

# ---- tests: cuBLASLt's products by a library that computes on the host ----
LT_CC     = $(CC) -std=c11 $(OPT) -fPIC -fvisibility=hidden $(WARN) -isystem $(CUDA_HOME)/include $(SAN)
ctests: $(if $(LT_HEADER),$(if $(HAVE_CHECK),$(BUILD)/test/blas_test))
$(BUILD)/test/fake_cublaslt.so: test/cuda/fake_cublaslt.c
	@mkdir -p $(@D)
	$(LT_CC) -shared -o $@ $<
$(BUILD)/test/blas_test: test/cuda/blas_test.c core/cuda/blas_lt.c core/cuda/blas.h | $(BUILD)/test/fake_cublaslt.so
	$(LT_CC) -Icore -I$(BUILD) -Itest/c -DFAKE_LIBRARY='"$(abspath $(BUILD))/test/fake_cublaslt.so"' \
	  $(shell pkg-config --cflags check) -o $@ test/cuda/blas_test.c core/cuda/blas_lt.c \
	  $(shell pkg-config --libs check) -ldl -lm

-include $(EMU_OBJ:.o=.d) $(ASAN_OBJ:.o=.d) $(CUDA_OBJ:.o=.d)
.PHONY: devices no-emu no-cuda
