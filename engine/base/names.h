/* names.h - byte strings numbered in the order in which they came. One thread. */
#ifndef LS_NAMES_H
#define LS_NAMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct ls_name {
    char *text; /* owned; NUL-terminated */
    size_t len;
    uint64_t hash;
} ls_name;

typedef struct ls_names { /* zeroed: empty */
    ls_name *all;         /* by number */
    uint32_t n, cap;
    uint32_t *slots; /* 1 + number; 0: free */
    uint32_t nslots; /* a power of two, at least twice n */
} ls_names;

/* The name's number, or -1. */
int64_t ls_names_find(const ls_names *s, const char *text, size_t len);
/* The same, after adding it where it is not there: then it is n - 1. -1: memory. */
int64_t ls_names_add(ls_names *s, const char *text, size_t len);
void ls_names_free(ls_names *s);

#endif
