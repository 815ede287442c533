/* sending.h - what a script's functions said of how a change is sent: topics, key, headers, message. Lives in the batch's arena. */
#ifndef LS_SENDING_H
#define LS_SENDING_H

#include "change/batch.h"

enum {
    LS_TOPIC_MAX = 249,          /* bytes of a topic's name: Kafka's own limit */
    LS_HEADERS_BYTES = 64 * 1024 /* of one message, names and values together */
};

typedef struct ls_sent_topic {
    struct ls_sent_topic *next;
    const char *name; /* NUL-terminated; one that Kafka takes */
    size_t len;
} ls_sent_topic;

typedef struct ls_sent_header {
    struct ls_sent_header *next; /* by name, so that a table of headers gives the same message each time */
    const char *name;            /* NUL-terminated */
    const char *value;           /* NULL: a null one */
    size_t len;
} ls_sent_header;

typedef enum ls_said { LS_UNSAID, LS_SAID, LS_SAID_NONE } ls_said;

typedef struct ls_sending {
    ls_sent_topic *topics; /* in the order said; NULL: those of the options */
    ls_sent_header *headers;
    size_t header_bytes;
    ls_said has_key, has_message; /* LS_UNSAID: as the options say; LS_SAID_NONE: null */
    const char *key, *message;
    size_t key_len, message_len;
    struct ls_sending *before; /* of an update's half before, until it is split or whole again; NULL: nothing was said */
} ls_sending;

#endif
