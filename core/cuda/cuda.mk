# cuda.mk: the devices in shared objects: libhz_cuda.so where nvcc is found, libhz_emu.so, the same sources over an
# emulation of the card, where a C++ compiler is. The rest of hz needs neither.
CXX      ?= g++
NVCC     ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_HOME = $(patsubst %/bin/nvcc,%,$(NVCC))
HAVE_CXX := $(shell command -v $(CXX) 2>/dev/null)

CARD_C   = $(wildcard core/cuda/*.c)
CARD_CU  = $(wildcard core/cuda/kern/*.cu)
EMU_C    = $(filter-out core/cuda/runtime_cuda.c,$(CARD_C))
EMU_OBJ  = $(EMU_C:core/cuda/%.c=$(BUILD)/emu/%.o) $(CARD_CU:core/cuda/%.cu=$(BUILD)/emu/%.o) \
           $(patsubst core/cuda/%.cc,$(BUILD)/emu/%.o,$(wildcard core/cuda/emu/*.cc))
EMU_FLAGS = -std=c++17 $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off -fno-exceptions -fno-rtti -Wall -Wextra \
            -Wno-unused-parameter -Wno-missing-field-initializers -Icore -I$(BUILD) $(SAN)

devices: $(if $(HAVE_CXX),$(BUILD)/libhz_emu.so)

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
	$(CXX) -shared -o $@ $^ $(SAN) -Wl,--no-undefined

-include $(EMU_OBJ:.o=.d)
.PHONY: devices
