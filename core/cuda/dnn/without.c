/* without.c: what stands for cuDNN where its header was missing when this was built. */
#include "cuda/dnn/ready.h"

const char *dnn_describe(void) { return "no cuDNN (built without cudnn.h), so its convolutions are slow"; }

int dnn_here(void)
{
    cuda_core->fail(HZ_EDEVICE, "cudnn: this hz was built without cudnn.h; convolutions run by plain kernels");
    return 0;
}

int dnn_wanted(void) { return dnn_here(); }

dnn_ready *dnn_ready_new(const dnn_key *k) { return NULL; }
void dnn_ready_free(dnn_ready *r) {}
hz_status dnn_launch(const dnn_ready *r, void *const data[DNN_SLOTS], void *workspace, void *stream)
{
    return HZ_EDEVICE;
}
