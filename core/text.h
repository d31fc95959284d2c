/* text.h: reading small languages from left to right. Spaces before a piece are skipped; a failing call leaves
   *s where it was. */
#ifndef HZ_CORE_TEXT_H
#define HZ_CORE_TEXT_H
#include <locale.h>
#include <stddef.h>

const char *text_skip(const char *s);                                         /* past white space */
int text_take(const char **s, char c);                                        /* 1 if c was next */
/* The run of accepted characters; 0 if there is none or it does not fit. */
int text_word(const char **s, int (*accept)(int), char *out, size_t room);
/* Everything up to the closing character (spaces kept); 0 if it is missing or the text does not fit. */
int text_quoted(const char **s, char close, char *out, size_t room);
/* A finite decimal number; call between enter and leave. */
int text_number(const char **s, double *out);

/* Numbers have a decimal point whatever locale the process has set: enter, read or print,
   leave(what enter returned). */
locale_t text_locale_enter(void);
void text_locale_leave(locale_t before);

#endif
