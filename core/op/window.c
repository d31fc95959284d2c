/* window.c: what convolution and pooling share: sliding a window over an image (N,H,W,C). */
#include "op/window.h"
#include "bounds.h"

hz_status window_image(const hz_value *x)
{
    char text[96];
    if (x->ndim != 4)
        return hz_fail(HZ_ESHAPE, "the input is %s; needs an image (batch,height,width,channels)", shape_text(text, x));
    return HZ_OK;
}

/* Output extent along one axis; -1 if the kernel does not fit. 'same' as TensorFlow: ceil(in/stride). */
static int64_t extent(int64_t in, int kernel, int stride, int pad)
{
    if (pad == HZ_SAME)
        return ceil_div(in, stride);
    return in < kernel ? -1 : (in - kernel) / stride + 1;
}

hz_status window_slide(const hz_value *x, const hz_window *a, int64_t channels, out_spec *y)
{
    int sh = a->sh ? a->sh : 1, sw = a->sw ? a->sw : 1;
    if (a->kh < 1 || a->kw < 1 || sh < 1 || sw < 1)
        return hz_fail(HZ_EARG, "kernel %dx%d, stride %dx%d; needs 1 or more", a->kh, a->kw, sh, sw);
    if ((int64_t)a->kh * a->kw > INT32_MAX)
        return hz_fail(HZ_EARG, "a window of %dx%d; needs at most %d elements", a->kh, a->kw, INT32_MAX);
    if (a->pad != HZ_SAME && a->pad != HZ_VALID)
        return hz_fail(HZ_EARG, "padding %d; needs same or valid", a->pad);
    int64_t h = extent(x->shape[1], a->kh, sh, a->pad), w = extent(x->shape[2], a->kw, sw, a->pad);
    if (h < 1 || w < 1)
        return hz_fail(HZ_ESHAPE, "the input is %lldx%lld, the kernel %dx%d without padding; needs an input at least "
                       "as large as the kernel", (long long)x->shape[1], (long long)x->shape[2], a->kh, a->kw);
    *y = (out_spec){ .dtype = x->dtype, .kind = HZ_ACTIVATION, .ndim = 4, .shape = { x->shape[0], h, w, channels } };
    return HZ_OK;
}
