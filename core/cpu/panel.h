/* panel.h: output channels cut into panels of 1..max_nv vectors, as even as can be. */
#ifndef HZ_CPU_PANEL_H
#define HZ_CPU_PANEL_H
#include "cpu/micro.h"

typedef struct panels {
    int64_t channels;
    int lanes, vectors, count;
} panels;

static inline panels panels_of(int64_t channels, const cpu_micro *m)
{
    int vectors = (int)ceil_div(channels, m->lanes);
    return (panels){ .channels = channels, .lanes = m->lanes, .vectors = vectors,
                     .count = (int)ceil_div(vectors, m->max_nv) };
}

/* vector. */
static inline int panel_first(const panels *p, int i) { return (int)((int64_t)p->vectors * i / p->count); }
static inline int panel_nv(const panels *p, int i) { return panel_first(p, i + 1) - panel_first(p, i); }
/* Lanes of the panel's last vector that are channels. */
static inline int panel_last(const panels *p, int i)
{
    int64_t beyond = (int64_t)panel_first(p, i + 1) * p->lanes - p->channels;
    return p->lanes - (int)max(beyond, 0);
}

#endif
