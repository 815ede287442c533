#include "base/names.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 };

static uint32_t slot_of(const ls_names *s, const char *text, size_t len, uint64_t hash) {
    uint32_t i = (uint32_t)hash & (s->nslots - 1);
    for (; s->slots[i]; i = (i + 1) & (s->nslots - 1)) {
        const ls_name *n = &s->all[s->slots[i] - 1];
        if (n->hash == hash && n->len == len && memcmp(n->text, text, len) == 0) break;
    }
    return i;
}

int64_t ls_names_find(const ls_names *s, const char *text, size_t len) {
    if (!s->nslots) return -1;
    return (int64_t)s->slots[slot_of(s, text, len, ls_hash(LS_HASH_START, text, len))] - 1;
}

static int make_room(ls_names *s) {
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : FIRST_SLOTS / 2;
        ls_name *all = realloc(s->all, cap * sizeof *all);
        if (!all) return -1;
        s->all = all;
        s->cap = cap;
    }
    if ((s->n + 1) * 2 <= s->nslots) return 0;
    uint32_t nslots = s->nslots ? s->nslots * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(nslots, sizeof *slots);
    if (!slots) return -1;
    free(s->slots);
    s->slots = slots;
    s->nslots = nslots;
    for (uint32_t i = 0; i < s->n; i++) slots[slot_of(s, s->all[i].text, s->all[i].len, s->all[i].hash)] = i + 1;
    return 0;
}

int64_t ls_names_add(ls_names *s, const char *text, size_t len) {
    int64_t found = ls_names_find(s, text, len);
    if (found >= 0) return found;
    char *copy = malloc(len + 1);
    if (!copy || make_room(s)) {
        free(copy);
        return -1;
    }
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    uint64_t hash = ls_hash(LS_HASH_START, text, len);
    s->slots[slot_of(s, copy, len, hash)] = s->n + 1;
    s->all[s->n] = (ls_name){copy, len, hash};
    return s->n++;
}

void ls_names_free(ls_names *s) {
    for (uint32_t i = 0; i < s->n; i++) free(s->all[i].text);
    free(s->all);
    free(s->slots);
    *s = (ls_names){0};
}
