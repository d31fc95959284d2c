/* param.h: declared parameters of codecs: plugin.c parses declarations, codec.c reads values. */
#ifndef HZ_CORE_PARAM_H
#define HZ_CORE_PARAM_H
#include "hz/codec.h"

enum { PARAM_MAX = 64 };        /* parameters a codec may declare */

/* Parses a declaration (grammar: hz/plugin.h). On success *out is new: param_free; on failure it is empty. */
hz_status param_parse(const char *text, hz_params *out);
void param_free(hz_params *p);

/* Is v of the type and in the range? */
int param_holds(const hz_param *p, double v);

/* Reads "name=value; ..." over the defaults into values[p->places]. `who` opens the message. */
hz_status param_read(const hz_params *p, const char *who, const char *text, double *values);
/* All values in declared order, but for vectors that are declared as zeros and are. new: free; NULL with the message
   set. */
char *param_print(const hz_params *p, const double *values);

#endif
