#include "pipeline/incoming.h"

#include <inttypes.h>

int ls_incoming_read(ls_decoder *d, ls_work *w, const ls_message *m, ls_error *err) {
    const ls_incoming in = {.topic = m->topic,
                            .partition = m->partition,
                            .offset = m->offset,
                            .time = m->time,
                            .key = m->key,
                            .value = m->value,
                            .key_len = m->key_len,
                            .value_len = m->value_len};
    if (ls_decoder_message(d, w, &in, err) == 0) return 0;
    return ls_fail_in(err, "topic %s, partition %" PRId32 ", offset %" PRId64, m->topic, m->partition, m->offset);
}
