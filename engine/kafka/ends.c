#include "kafka/ends.h"

#include <stdlib.h>
#include <string.h>

int ls_ends_init(ls_ends *e, ls_error *err) {
    *e = (ls_ends){0};
    return pthread_mutex_init(&e->mutex, NULL) ? ls_fail_memory(err, "starting") : 0;
}

void ls_ends_free(ls_ends *e) {
    for (size_t i = 0; i < e->n; i++) free(e->all[i].cluster);
    free(e->all);
    pthread_mutex_destroy(&e->mutex);
}

int ls_ends_add(ls_ends *e, const char *cluster, const char *topic, int32_t partition, int64_t next) {
    size_t one = strlen(cluster) + 1, other = strlen(topic) + 1;
    pthread_mutex_lock(&e->mutex);
    if (e->n == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 16;
        ls_end *more = realloc(e->all, cap * sizeof *more);
        if (more) e->all = more, e->cap = cap;
    }
    char *names = e->n < e->cap ? malloc(one + other) : NULL;
    if (names) {
        memcpy(names, cluster, one);
        memcpy(names + one, topic, other);
        e->all[e->n++] = (ls_end){names, names + one, partition, next};
    }
    pthread_mutex_unlock(&e->mutex);
    return names ? 0 : -1;
}

int64_t ls_ends_of(ls_ends *e, const char *cluster, const char *topic, int32_t partition) {
    int64_t next = 0;
    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < e->n; i++) {
        const ls_end *k = &e->all[i];
        if ((partition < 0 || k->partition == partition) && k->next > next && strcmp(k->topic, topic) == 0 && strcmp(k->cluster, cluster) == 0) next = k->next;
    }
    pthread_mutex_unlock(&e->mutex);
    return next;
}
