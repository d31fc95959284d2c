/* quiet.c: libjxl as Debian builds it (0.7) tells stderr what it thinks of a broken stream, thousands of lines of it,
   and has no switch for that. Its own calls of the functions that print are bound to one that prints nothing; those of
   all others stay as they are. Where they are bound for good already (RELRO), nothing is changed, and it goes on
   printing. */
#define _GNU_SOURCE
#include "jxl.h"
#include <elf.h>
#include <link.h>
#include <string.h>
#include <jxl/decode.h>

static int silent(void) { return 0; }       /* of whatever arguments */

static const char *const printing[] = { "__fprintf_chk", "__vfprintf_chk", "fprintf", "vfprintf" };

static int prints(const char *name)
{
    for (size_t i = 0; i < sizeof printing / sizeof *printing; i++)
        if (!strcmp(name, printing[i]))
            return 1;
    return 0;
}

/* Is the address in a part of this object that is of this type? */
static int is_in(const struct dl_phdr_info *o, unsigned type, uintptr_t address)
{
    for (int i = 0; i < o->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];
        if (p->p_type == type && address - o->dlpi_addr - p->p_vaddr < p->p_memsz)
            return 1;
    }
    return 0;
}

typedef struct tables {
    const ElfW(Rela) *jump;          /* (bytes / sizeof), one for each function of others that it calls */
    size_t bytes;
    const ElfW(Sym) *symbol;
    const char *names;
} tables;

/* The system's loader makes addresses of what the file has, but not everywhere. */
static const void *at(const struct dl_phdr_info *o, ElfW(Addr) v)
{
    return (const void *)(v < o->dlpi_addr ? v + o->dlpi_addr : v);
}

static tables tables_of(const struct dl_phdr_info *o)
{
    tables t = { .jump = NULL };
    const ElfW(Dyn) *d = NULL;
    for (int i = 0; i < o->dlpi_phnum; i++)
        if (o->dlpi_phdr[i].p_type == PT_DYNAMIC)
            d = (const ElfW(Dyn) *)(o->dlpi_addr + o->dlpi_phdr[i].p_vaddr);
    for (; d && d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_JMPREL) t.jump = at(o, d->d_un.d_ptr);
        if (d->d_tag == DT_PLTRELSZ) t.bytes = d->d_un.d_val;
        if (d->d_tag == DT_SYMTAB) t.symbol = at(o, d->d_un.d_ptr);
        if (d->d_tag == DT_STRTAB) t.names = at(o, d->d_un.d_ptr);
        if (d->d_tag == DT_PLTREL && d->d_un.d_val != DT_RELA) return (tables){ .jump = NULL };
    }
    return t;
}

static int silence(struct dl_phdr_info *o, size_t size, void *inside)
{
    (void)size;
    if (!is_in(o, PT_LOAD, (uintptr_t)inside))
        return 0;
    tables t = tables_of(o);
    for (size_t i = 0; t.jump && t.symbol && t.names && i < t.bytes / sizeof *t.jump; i++) {
        uintptr_t slot = o->dlpi_addr + t.jump[i].r_offset;
        if (prints(t.names + t.symbol[t.jump[i].r_info >> 32].st_name) && !is_in(o, PT_GNU_RELRO, slot))
            *(uintptr_t *)slot = (uintptr_t)silent;
    }
    return 1;
}

void jxl_quiet(void)
{
#if defined __LP64__
    dl_iterate_phdr(silence, (void *)(uintptr_t)JxlDecoderVersion);
#endif
}
