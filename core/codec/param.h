/* param.h: declared parameters of codecs: plugin.c parses declarations, codec.c reads values. */
#ifndef HZ_CORE_PARAM_H
#define HZ_CORE_PARAM_H
#include "hz/codec.h"

enum { PARAM_MAX = 64, PARAM_NAME = 32, PARAM_ALL = 512 };     /* a codec's, bytes of a name, of a composed codec */

/* Parses a declaration (grammar: hz/plugin.h). On success *out is new: param_free; on failure it is empty. */
hz_status param_parse(const char *text, hz_params *out);
void param_free(hz_params *p);

/* The parameter of this name; of a composed codec also by its name in its stage, where one stage alone has it:
   "quality" is "jpeg.quality" of 'resize|jpeg'. NULL: none, or several. */
hz_param *param_named(const hz_params *p, const char *name);

/* Is v of the type and in the range? */
int param_holds(const hz_param *p, double v);

/* Reads "name=value; ..." over the defaults into values[p->places]. `who` opens the message. */
hz_status param_read(const hz_params *p, const char *who, const char *text, double *values);
/* All values in declared order, but for vectors that are declared as zeros and are. new: free; NULL with the message
   set. */
char *param_print(const hz_params *p, const double *values);

#endif
