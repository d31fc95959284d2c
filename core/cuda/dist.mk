# dist.mk: what is carried to a machine with a card.
GPU_DIST = $(BUILD)/hz-gpu.tgz

# With cuDNN plans for the H200, which are those of the H100, too, are made first; that takes minutes, once.
gpu-dist: $(if $(CUDNN_HOME),packs)
gpu-dist: all  ## one archive of hz that needs a driver and glibc alone: build/hz-gpu.tgz
	@sh .ci/gpu_dist.sh $(BUILD) $(GPU_DIST)
gpu-dist-check: gpu-dist  ## proof that it is complete: hz in it runs where there is nothing else (root)
	@sh .ci/gpu_dist_check.sh $(GPU_DIST)

.PHONY: gpu-dist gpu-dist-check
