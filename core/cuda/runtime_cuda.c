/* runtime_cuda.c: an NVIDIA card by the CUDA runtime, which is linked in; the driver is looked for when the device is
   opened, cuDNN and cuBLASLt when a node asks for them. */
#include "cuda/kernel.h"
#include "cuda/runtime.h"
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const runtime_name = "cuda";

enum { SMALL = 64 << 10, SLOTS = 64 };        /* bytes of a slot of pinned memory, and how many there are */

/* What was copied out and not yet waited for. */
typedef struct parcel {
    void *to;
    size_t bytes;
    uint64_t mark;
    cudaEvent_t arrived;
} parcel;

static cudaStream_t stream;
static struct cudaDeviceProp properties;
static char *pinned;
static parcel parcels[SLOTS];                 /* mark m lies in slot m % SLOTS; to NULL: delivered */
static uint64_t marks, delivered;

static hz_status failed(const char *what, cudaError_t e)
{
    cudaGetLastError();                       /* it is told here, and not again */
    return cuda_core->fail(e == cudaErrorMemoryAllocation ? HZ_EMEM : HZ_EDEVICE, "cuda: %s: %s (%s)", what,
                           cudaGetErrorString(e), cudaGetErrorName(e));
}

#define TRY(what, call) \
    do { \
        cudaError_t error_ = (call); \
        if (error_ != cudaSuccess) \
            return failed(what, error_); \
    } while (0)

/* ---- opening ---- */

static hz_status number_of(const char *which, int count, int *number)
{
    char *end = NULL;
    long n = *which ? strtol(which, &end, 10) : 0;
    if ((*which && *end) || n < 0 || n >= count)
        return cuda_core->fail(HZ_EDEVICE, "cuda: number %s was asked for; have 0 to %d", which, count - 1);
    *number = (int)n;
    return HZ_OK;
}

static hz_status make_slots(void)
{
    TRY("pinned memory", cudaMallocHost((void **)&pinned, (size_t)SLOTS * SMALL));
    for (int i = 0; i < SLOTS; i++)
        TRY("an event", cudaEventCreateWithFlags(&parcels[i].arrived, cudaEventDisableTiming));
    return HZ_OK;
}

hz_status runtime_open(const char *which)
{
    int count = 0, number = 0;
    TRY("no card can be used", cudaGetDeviceCount(&count));
    hz_status status = number_of(which, count, &number);
    if (status)
        return status;
    TRY("the card cannot be chosen", cudaSetDevice(number));
    TRY("the card's properties", cudaGetDeviceProperties(&properties, number));
    if (properties.major < 7 || (properties.major == 7 && properties.minor < 5))
        return cuda_core->fail(HZ_EDEVICE, "cuda: %s is of sm_%d%d; needs sm_75 or later", properties.name,
                               properties.major, properties.minor);
    TRY("a stream", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return make_slots();
}

const char *runtime_describe(void)
{
    static char text[128];
    int driver = 0;
    cudaDriverGetVersion(&driver);
    snprintf(text, sizeof text, "%.48s, sm_%d%d, %.1f GiB, CUDA %d.%d", properties.name, properties.major,
             properties.minor, (double)properties.totalGlobalMem / (1 << 30), driver / 1000, driver % 1000 / 10);
    return text;
}

hz_status runtime_room(size_t *unused, size_t *all)
{
    TRY("memory", cudaMemGetInfo(unused, all));
    return HZ_OK;
}

int runtime_bf16(void) { return properties.major >= 8; }

/* ---- memory ---- */

void *runtime_alloc(size_t bytes)
{
    void *p = NULL;
    size_t unused = 0, all = 0;
    cudaError_t e = cudaMalloc(&p, bytes ? bytes : 1);
    if (e == cudaSuccess)
        return p;
    cudaGetLastError();
    cudaMemGetInfo(&unused, &all);
    if (e == cudaErrorMemoryAllocation)
        cuda_core->fail(HZ_EMEM, "cuda: %zu bytes of memory were asked for; %zu of %zu are free", bytes, unused, all);
    else
        failed("memory", e);
    return NULL;
}

void runtime_free(void *p, size_t bytes)
{
    if (!p)
        return;
    cudaStreamSynchronize(stream);            /* what was asked for may still use it */
    cudaFree(p);
}

/* From memory that is not pinned the runtime has taken the bytes when it returns. */
hz_status runtime_copy_in(void *to, const void *from, size_t bytes)
{
    TRY("a copy to the card", cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
    return HZ_OK;
}

static hz_status deliver(uint64_t mark)
{
    parcel *p = &parcels[mark % SLOTS];
    if (!p->to || p->mark != mark)
        return HZ_OK;
    TRY("a copy from the card", cudaEventSynchronize(p->arrived));
    memcpy(p->to, pinned + mark % SLOTS * SMALL, p->bytes);
    p->to = NULL;
    return HZ_OK;
}

static hz_status deliver_up_to(uint64_t mark)
{
    hz_status status = HZ_OK;
    for (; delivered < mark && !status; delivered += !status)
        status = deliver(delivered + 1);
    return status;
}

/* Small ones go through a ring of pinned slots and wait for nobody; large ones arrive before this returns. */
hz_status runtime_copy_out(void *to, const void *from, size_t bytes, uint64_t *mark)
{
    *mark = ++marks;
    hz_status status = marks > SLOTS ? deliver_up_to(marks - SLOTS) : HZ_OK;
    if (status)
        return status;
    parcel *p = &parcels[marks % SLOTS];
    *p = (parcel){ .bytes = bytes, .mark = marks, .arrived = p->arrived };
    if (bytes > SMALL) {
        TRY("a copy from the card", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream));
        TRY("a copy from the card", cudaStreamSynchronize(stream));
        return HZ_OK;
    }
    p->to = to;
    TRY("a copy from the card",
        cudaMemcpyAsync(pinned + marks % SLOTS * SMALL, from, bytes, cudaMemcpyDeviceToHost, stream));
    TRY("an event", cudaEventRecord(p->arrived, stream));
    return HZ_OK;
}

hz_status runtime_fill(void *to, int byte, size_t bytes)
{
    TRY("a fill", cudaMemsetAsync(to, byte, bytes, stream));
    return HZ_OK;
}

hz_status runtime_synchronise(uint64_t mark)
{
    hz_status status = deliver_up_to(mark ? mark : marks);
    if (!status && !mark)
        TRY("work on the card", cudaStreamSynchronize(stream));
    return status;
}

/* ---- launches ---- */

void *runtime_stream(void) { return stream; }

hz_status runtime_check(const char *who)
{
    cudaError_t e = cudaGetLastError();
    return e == cudaSuccess ? HZ_OK : failed(who, e);
}

hz_status runtime_record(void)
{
    TRY("recording", cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    return HZ_OK;
}

/* A runtime_graph is a cudaGraphExec_t. */
hz_status runtime_recorded(runtime_graph **out)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t ready = NULL;
    *out = NULL;
    TRY("recording", cudaStreamEndCapture(stream, &graph));
    cudaError_t e = cudaGraphInstantiate(&ready, graph, 0);
    cudaGraphDestroy(graph);
    if (e != cudaSuccess)
        return failed("a recorded step", e);
    *out = (runtime_graph *)ready;
    return HZ_OK;
}

hz_status runtime_replay(runtime_graph *g)
{
    TRY("a recorded step", cudaGraphLaunch((cudaGraphExec_t)g, stream));
    return HZ_OK;
}

void runtime_graph_free(runtime_graph *g)
{
    if (!g)
        return;
    cudaStreamSynchronize(stream);
    cudaGraphExecDestroy((cudaGraphExec_t)g);
}

/* ---- clocks ---- */

struct runtime_clock {
    int n;
    cudaEvent_t at[];
};

void runtime_clock_free(runtime_clock *c)
{
    for (int i = 0; c && i < c->n; i++)
        cudaEventDestroy(c->at[i]);
    free(c);
}

runtime_clock *runtime_clock_new(int n)
{
    runtime_clock *c = calloc(1, sizeof *c + (size_t)n * sizeof c->at[0]);
    for (; c && c->n < n; c->n++)
        if (cudaEventCreate(&c->at[c->n]) != cudaSuccess)
            break;
    if (c && c->n == n)
        return c;
    runtime_clock_free(c);
    cuda_core->fail(HZ_EDEVICE, "cuda: %d events were asked for; the card gives no more", n);
    return NULL;
}

hz_status runtime_clock_read(runtime_clock *c, int i)
{
    TRY("an event", cudaEventRecord(c->at[i], stream));
    return HZ_OK;
}

hz_status runtime_clock_ms(runtime_clock *c, int from, int to, double *ms)
{
    float f = 0;
    TRY("an event", cudaEventSynchronize(c->at[to]));
    TRY("an event", cudaEventElapsedTime(&f, c->at[from], c->at[to]));
    *ms = f;
    return HZ_OK;
}
