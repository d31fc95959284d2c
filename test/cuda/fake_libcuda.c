/* fake_libcuda.c: so much of a driver as cuDNN needs to compile fused plans where there is no card. It takes what is
   compiled and says of each kernel that it needs 128 registers; all else it refuses (CUDA_ERROR_STUB_LIBRARY), so
   nothing ever runs by it. For tests and packs of this tree alone. */
#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, STUB = 34, REGISTERS = 128 };

static int library;

#define TAKES(name, ...) EXPORT int name(__VA_ARGS__); EXPORT int name(__VA_ARGS__)
TAKES(cuLibraryLoadData, void **out) { *out = &library; return SUCCESS; }
TAKES(cuLibraryGetKernel, void **out) { *out = &library; return SUCCESS; }
TAKES(cuKernelGetAttribute, int *value) { *value = REGISTERS; return SUCCESS; }
TAKES(cuKernelSetAttribute, void) { return SUCCESS; }
TAKES(cuLibraryUnload, void) { return SUCCESS; }

#define REFUSES(name) EXPORT int name(void); EXPORT int name(void) { return STUB; }
REFUSES(cuInit) REFUSES(cuDriverGetVersion) REFUSES(cuDeviceGet) REFUSES(cuDeviceGetCount)
REFUSES(cuDeviceGetAttribute) REFUSES(cuGetErrorString) REFUSES(cuGetErrorName)
REFUSES(cuCtxGetCurrent) REFUSES(cuCtxGetDevice) REFUSES(cuCtxGetLimit) REFUSES(cuCtxPushCurrent)
REFUSES(cuCtxPopCurrent) REFUSES(cuDevicePrimaryCtxRetain) REFUSES(cuDevicePrimaryCtxRelease)
REFUSES(cuDevicePrimaryCtxReset) REFUSES(cuStreamGetCtx) REFUSES(cuStreamSynchronize)
REFUSES(cuLibraryLoadFromFile) REFUSES(cuFuncSetAttribute) REFUSES(cuFuncGetAttribute)
REFUSES(cuOccupancyMaxActiveBlocksPerMultiprocessor) REFUSES(cuOccupancyMaxPotentialClusterSize)
REFUSES(cuOccupancyMaxActiveClusters) REFUSES(cuLaunchKernel) REFUSES(cuLaunchCooperativeKernel)
REFUSES(cuLaunchKernelEx) REFUSES(cuLinkDestroy) REFUSES(cuLinkComplete) REFUSES(cuLinkCreate) REFUSES(cuLinkAddData)
REFUSES(cuLinkAddFile) REFUSES(cuLinkCreate_v2) REFUSES(cuLinkAddFile_v2) REFUSES(cuLinkAddData_v2)
REFUSES(cuTensorMapEncodeTiled) REFUSES(cuTensorMapEncodeIm2col) REFUSES(cuModuleUnload)
REFUSES(cuModuleLoadFatBinary) REFUSES(cuModuleLoadDataEx) REFUSES(cuModuleLoadData) REFUSES(cuModuleGetGlobal_v2)
REFUSES(cuModuleGetFunction) REFUSES(cuMemcpyDtoH_v2)
