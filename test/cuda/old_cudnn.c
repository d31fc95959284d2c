/* old_cudnn.c: a library with all functions of cuDNN that hz asks for, and the version of one that is too old. */
#define EXPORT __attribute__((visibility("default")))
#include <stddef.h>

#define HAS(name) EXPORT size_t name(void); EXPORT size_t name(void) { return 90100; }
HAS(cudnnGetVersion) HAS(cudnnCreate) HAS(cudnnDestroy) HAS(cudnnSetStream) HAS(cudnnGetLastErrorString)
HAS(cudnnGetErrorString) HAS(cudnnBackendCreateDescriptor) HAS(cudnnBackendDestroyDescriptor)
HAS(cudnnBackendSetAttribute) HAS(cudnnBackendGetAttribute) HAS(cudnnBackendFinalize) HAS(cudnnBackendExecute)
