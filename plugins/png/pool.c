/* pool.c: memory of libpng and of its zlib between one picture and the next: its structs and windows, some 300 KB, are
   asked for and given back for each, which costs more than a small picture itself where the system takes them back. */
#include "coder.h"
#include <stdlib.h>

enum { MOST = 1 << 20 };             /* bytes of a block that is kept */

/* In front of each block; as long as any type needs it aligned. */
typedef union head {
    size_t size;
    long double any;
} head;

png_voidp pool_take(png_structp png, png_alloc_size_t size)
{
    pool *p = png_get_mem_ptr(png);
    for (int i = 0; i < p->count; i++) {
        head *h = p->block[i];
        if (h->size == size) {
            p->block[i] = p->block[--p->count];
            return h + 1;
        }
    }
    head *h = size <= SIZE_MAX - sizeof *h ? malloc(sizeof *h + size) : NULL;
    if (h)
        h->size = size;
    return h ? h + 1 : NULL;
}

void pool_give(png_structp png, png_voidp block)
{
    pool *p = png_get_mem_ptr(png);
    head *h = block ? (head *)block - 1 : NULL;
    if (h && h->size <= MOST && p->count < POOL)
        p->block[p->count++] = h;
    else
        free(h);
}

void pool_empty(pool *p)
{
    while (p->count)
        free(p->block[--p->count]);
}
