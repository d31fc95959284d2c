/* ref.inc.h: includes TEMPLATE for float and for double. F(name) is the function's name, IN and OUT typed arguments. */
#define IN(i) ((const T *)w->in[i].data)
#define OUT(i) ((T *)w->out[i].data)

#define T float
#define F(name) name##_f32
#include TEMPLATE
#undef T
#undef F

#define T double
#define F(name) name##_f64
#include TEMPLATE
#undef T
#undef F
