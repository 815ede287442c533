/* group.h - a consumer group's offsets as the brokers have them, for `list_sync position`. One thread; each call makes a client of its own. */
#ifndef LS_KAFKA_GROUP_H
#define LS_KAFKA_GROUP_H

#include "kafka/client.h"

typedef struct ls_group_place {
    const char *topic; /* borrowed from the call's topics */
    int32_t partition;
    int64_t offset;     /* the next one to read; -1: the group has none */
    int64_t begin, end; /* of the partition */
} ls_group_place;

/* Each partition of the topics that are there. *out: *n of them, to be freed. LS_AGAIN: the brokers do not answer. */
int ls_group_places(const ls_kafka_conf *conf, const char *group, const char *const *topics, size_t ntopics, const ls_log *log,
                    ls_group_place **out, size_t *n, ls_error *err) LS_MUST_CHECK;
/* Forgets the group and its offsets. *dropped false: there is none. LS_FAIL: it has members. */
int ls_group_drop(const ls_kafka_conf *conf, const char *group, const ls_log *log, bool *dropped, ls_error *err) LS_MUST_CHECK;

#endif
