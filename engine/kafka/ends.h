/* ends.h - how far this run's producers have filled the partitions. A leader that does not know yet that it is none any more tells an end that lies
 * before what its successor has acknowledged: who reads up to the end asks here, too. Any thread. */
#ifndef LS_KAFKA_ENDS_H
#define LS_KAFKA_ENDS_H

#include "base/error.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ls_end {
    char *cluster, *topic; /* one piece of memory */
    int32_t partition;
    int64_t next; /* the offset behind the last acknowledged message */
} ls_end;

typedef struct ls_ends {
    pthread_mutex_t mutex;
    ls_end *all;
    size_t n, cap;
} ls_ends;

int ls_ends_init(ls_ends *e, ls_error *err) LS_MUST_CHECK;
void ls_ends_free(ls_ends *e);
/* Each partition once a producer, at its end. cluster: ls_kafka_cluster(). -1: memory. */
int ls_ends_add(ls_ends *e, const char *cluster, const char *topic, int32_t partition, int64_t next) LS_MUST_CHECK;
/* The farthest of the partition, or with partition -1 of any of the topic's; 0: none is known. */
int64_t ls_ends_of(ls_ends *e, const char *cluster, const char *topic, int32_t partition);

#endif
