#include "pipeline/dead_sender.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    LS_LETTER_WAIT_MS = 100, /* longest wait for a report */
    LS_LETTER_PUSH_MS = 1    /* for the client's threads to see that letters do not linger */
};

struct ls_dead_sender {
    ls_worker *worker;
    const ls_dead *dead;
    ls_kafka_conf kafka;
    size_t budget;
    ls_producer *producer; /* NULL: there was no letter yet */
    ls_topic *topic;
    size_t letters, bytes; /* on their way */
    int64_t heard_at;      /* ls_clock_ms(): of the last report, or when the first letter was sent */
    bool failed;
    ls_error why;
    ls_letter letter;
    ls_producer_header *kept; /* room for a message's own headers */
    size_t cap_kept;
};

ls_dead_sender *ls_dead_sender_new(ls_worker *w, const ls_dead *dead, const ls_kafka_conf *kafka, size_t budget) {
    ls_dead_sender *s = calloc(1, sizeof *s);
    if (s) *s = (ls_dead_sender){.worker = w, .dead = dead, .kafka = *kafka, .budget = budget};
    return s;
}

void ls_dead_sender_free(ls_dead_sender *s) {
    if (!s) return;
    if (s->producer) ls_producer_close(s->producer);
    ls_letter_free(&s->letter);
    free(s->kept);
    free(s);
}

static int make_topic(ls_dead_sender *s, ls_error *err) {
    ls_retry retry = {0};
    size_t queue = s->budget > LS_MESSAGE_MAX ? s->budget : LS_MESSAGE_MAX; /* the largest message must go through */
    if (!s->producer && ls_producer_open(&s->producer, &s->kafka, queue + LS_BATCH_BYTES, &s->worker->log, err)) return -1;
    while (!s->topic && ls_producer_topic(s->producer, ls_dead_topic(s->dead), 1, 0, &s->topic, err))
        if (ls_retry_wait(&retry, s->worker, err)) return -1;
    ls_retry_ok(&retry, s->worker, "Kafka answers");
    return 0;
}

static void take_report(void *ctx, const ls_report *r) {
    ls_dead_sender *s = ctx;
    s->letters--;
    s->bytes -= r->bytes;
    if (!r->failed || s->failed) return;
    s->failed = true;
    ls_code code = r->final ? LS_FAIL : r->code == LS_FENCED ? LS_FENCED : LS_AGAIN;
    ls_fail(&s->why, code, "Kafka did not take a dead letter: %s; its message is not passed over%s", r->why, code == LS_AGAIN ? "" : ": mend it and start again");
}

/* The next letter has a producer of its own. Letters that were on their way come again with their messages. */
static int begin_anew(ls_dead_sender *s) {
    ls_producer_close(s->producer);
    s->producer = NULL;
    s->topic = NULL;
    s->letters = s->bytes = 0;
    s->failed = false;
    return -1;
}

/* Takes reports for a moment. stop_at: when to give up once the run stops; 0: not known yet. LS_AGAIN: the session is to go back to its last commit. */
static int wait_for_reports(ls_dead_sender *s, int64_t *stop_at, ls_error *err) {
    int taken = ls_producer_reports(s->producer, LS_LETTER_WAIT_MS, take_report, s);
    int64_t now = ls_clock_ms();
    if (taken) s->heard_at = now;
    if (s->failed) *err = s->why;
    if (s->failed || ls_producer_health(s->producer, err)) return begin_anew(s);
    if (!*stop_at && ls_run_stopping(s->worker->run)) *stop_at = now + LS_DRAIN_MS;
    bool silent = s->worker->run->until_caught_up && now - s->heard_at >= LS_SILENCE_MS;
    if (taken || !(silent || (*stop_at && now >= *stop_at))) return 0;
    return ls_fail(err, LS_FAIL, "Kafka has not acknowledged the dead letters: see that the brokers run and that topic %s has enough replicas in sync; what "
                                 "was read since the last commit comes again at the next start", ls_dead_topic(s->dead));
}

/* The message's own headers. */
static int read_headers(ls_dead_sender *s, const ls_message *m, size_t *n, ls_error *err) {
    ls_producer_header h;
    for (*n = 0; ls_message_header(m, *n, &h.name, &h.value, &h.len); s->kept[(*n)++] = h) {
        if (*n < s->cap_kept) continue;
        size_t cap = s->cap_kept ? s->cap_kept * 2 : 16;
        ls_producer_header *more = realloc(s->kept, cap * sizeof *more);
        if (!more) return ls_fail_memory(err, "writing a dead letter");
        s->kept = more;
        s->cap_kept = cap;
    }
    return 0;
}

/* A message that was as large as can be has no room for the headers of its letter: then it goes without its value, and the letter says its size. */
static int fill(ls_dead_sender *s, const ls_message *m, ls_dead_row *row, ls_fault *fault, bool *whole, ls_error *err) {
    size_t nkept;
    if (read_headers(s, m, &nkept, err)) return -1;
    for (*whole = true;; *whole = false) {
        if (ls_letter_fill(&s->letter, s->dead, row, s->kept, nkept, err)) return -1;
        size_t bytes = ls_producer_bytes(m->key_len, m->value_len, s->letter.headers, s->letter.n);
        if (!*whole || bytes <= LS_LARGEST) return 0;
        fault->bytes = bytes;
        row->fault = fault;
    }
}

int ls_dead_sender_send(ls_dead_sender *s, const ls_message *m, const ls_dead_row *row, ls_error *err) {
    ls_dead_row mine = *row;
    ls_fault fault = *row->fault;
    int64_t stop_at = 0;
    bool whole;
    if (make_topic(s, err) || fill(s, m, &mine, &fault, &whole, err)) return -1;
    const void *value = whole ? m->value : NULL;
    size_t value_len = value ? m->value_len : 0, bytes = m->key_len + value_len;
    while (s->bytes && s->bytes + bytes > s->budget)
        if (wait_for_reports(s, &stop_at, err)) return -1;
    if (!s->letters) s->heard_at = ls_clock_ms();
    int partition = m->key ? ls_partition_for(m->key, m->key_len, ls_topic_count(s->topic)) : 0;
    while (ls_producer_send(s->producer, s->topic, partition, m->key, m->key_len, value, value_len, s->letter.headers, s->letter.n, NULL, err))
        if (err->code != LS_AGAIN || wait_for_reports(s, &stop_at, err)) return -1;
    s->letters++;
    s->bytes += bytes;
    return 0;
}

int ls_dead_sender_await(ls_dead_sender *s, ls_error *err) {
    int64_t stop_at = 0;
    if (!s->letters) s->heard_at = ls_clock_ms();
    if (s->letters) ls_producer_push(s->producer, LS_LETTER_PUSH_MS);
    while (s->letters)
        if (wait_for_reports(s, &stop_at, err)) return -1;
    return 0;
}
