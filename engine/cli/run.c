#include "cli/cli.h"

#include "base/clock.h"
#include "cli/status.h"
#include "kafka/sasl.h"
#include "pipeline/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    LS_LOOK_MS = 200,               /* the main thread looks at what is due this often */
    LS_STOP_MS = LS_DRAIN_MS + 5000 /* a stop that takes longer is waiting for somebody who does not answer */
};

typedef struct running {
    ls_run run;
    ls_config config;
    ls_script_env env;
    ls_worker *workers;
    size_t nworkers, started;
    int signals;          /* signalfd of SIGINT and SIGTERM */
    int64_t signalled_at; /* ls_clock_ms(); 0: not yet */
} running;

static size_t count_workers(const ls_config *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->nstages; i++) n += c->stages[i].is_connector ? 1 : (size_t)c->stages[i].as.consumer.instances;
    return n;
}

/* What no stage asks for is not loaded. */
static void look_at_sasl(const running *r) {
    for (size_t i = 0; i < r->config.nstages; i++) {
        const ls_kafka_conf kafka = ls_stage_kafka(&r->config.stages[i], NULL);
        if (ls_kafka_uses_sasl(&kafka)) return;
    }
    ls_sasl_without_plugins();
}

static int start_broker(running *r, ls_error *err) {
    for (size_t i = 0; i < r->config.nstages; i++)
        if (r->config.stages[i].kafka.memory) return ls_memory_broker_new(&r->run.memory, err);
    return 0;
}

static int start_workers(running *r, ls_error *err) {
    r->nworkers = count_workers(&r->config);
    r->workers = calloc(r->nworkers, sizeof *r->workers);
    if (!r->workers) return ls_fail_memory(err, "starting");
    for (size_t i = 0; i < r->config.nstages; i++) {
        const ls_stage *s = &r->config.stages[i];
        int instances = s->is_connector ? 1 : s->as.consumer.instances;
        for (int k = 1; k <= instances; k++)
            if (ls_worker_start(&r->workers[r->started++], &r->run, s, s->is_connector ? 0 : k, err)) return -1;
    }
    return 0;
}

/* The workers are not waited for. */
static void stop_at_once(const ls_log *log, const char *why) {
    ls_log_line(log, LS_WARN, "%sstopped at once; what was not acknowledged comes again at the next start", why);
    _exit(LS_FAIL);
}

/* A call to a server, or a function of the script, that never comes back holds nobody up for ever. */
static void look_at_stop(running *r, const ls_log *log) {
    char why[sizeof r->workers->title + 64];
    if (!r->signalled_at || ls_clock_ms() - r->signalled_at < LS_STOP_MS) return;
    for (size_t i = 0; i < r->started; i++) {
        if (atomic_load(&r->workers[i].done)) continue;
        snprintf(why, sizeof why, "stage \"%s\" has not ended within %d s: ", r->workers[i].title, LS_STOP_MS / 1000);
        stop_at_once(log, why);
    }
}

/* Waits LS_LOOK_MS for a signal or a worker's end. The first signal begins the stop, a second one ends the program at once. */
static void take_signal(running *r, const ls_log *log) {
    struct pollfd on[] = {{.fd = r->signals, .events = POLLIN}, {.fd = r->run.ended, .events = POLLIN}};
    struct signalfd_siginfo signal;
    eventfd_t ended;
    if (poll(on, 2, LS_LOOK_MS) <= 0) return;
    if (on[1].revents) eventfd_read(r->run.ended, &ended);
    if (!on[0].revents || read(r->signals, &signal, sizeof signal) != sizeof signal) return;
    if (r->signalled_at) stop_at_once(log, "");
    r->signalled_at = ls_clock_ms();
    ls_log_line(log, LS_INFO, "stopping (once more to stop at once)");
    ls_run_stop(&r->run);
}

/* A failed worker stops the others. True when all have ended. */
static bool look_at_workers(running *r) {
    size_t done = 0, sources = 0, sources_done = 0;
    for (size_t i = 0; i < r->started; i++) {
        ls_worker *w = &r->workers[i];
        bool ended = atomic_load(&w->done);
        if (ended && w->err.code != LS_OK) ls_run_stop(&r->run);
        done += ended;
        sources += w->stage->is_connector;
        sources_done += w->stage->is_connector && ended;
    }
    if (r->run.until_caught_up && sources == sources_done && !atomic_load(&r->run.sources_done)) ls_run_sources_done(&r->run);
    return done == r->started;
}

static int watch(running *r, const ls_log *log, ls_error *err) {
    ls_status status;
    if (ls_status_init(&status, log, r->workers, r->nworkers, err)) return -1;
    while (!look_at_workers(r)) {
        take_signal(r, log);
        look_at_stop(r, log);
        ls_status_tick(&status);
    }
    ls_status_end(&status);
    return 0;
}

/* The first failure is the run's; the others are logged. */
static int outcome(running *r, ls_error *err) {
    int rc = 0;
    for (size_t i = 0; i < r->started; i++) {
        ls_worker *w = &r->workers[i];
        ls_worker_join(w);
        if (w->err.code == LS_OK) continue;
        if (rc) {
            ls_log_line(&w->log, LS_ERROR, "%s", w->err.text);
            continue;
        }
        *err = w->err;
        const char *kind = w->stage->is_connector ? "connector" : "consumer";
        char who[sizeof w->title + 16];
        snprintf(who, sizeof who, "%s \"%s\"", kind, w->stage->name);
        if (!strstr(err->text, who)) ls_fail_in(err, "%s \"%s\"", kind, w->title); /* a hook's error begins with script:line, and names the stage */
        rc = -1;
    }
    return rc;
}

/* From now on the main thread takes SIGINT and SIGTERM in its own time; the workers' threads inherit the mask. */
static int hold_signals(running *r, ls_error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signals < 0 ? ls_fail(err, LS_FAIL, "starting: signalfd: %s", strerror(errno)) : 0;
}

static int run(const ls_args *args, const ls_log *log, ls_error *err) {
    running r = {.run = {.script = args->script, .log = log, .until_caught_up = args->until_caught_up}, .env = ls_args_env(args, log), .signals = -1};
    ls_error late;
    r.run.env = &r.env;
    if (ls_args_config(args, &r.config, err)) return -1;
    int rc = hold_signals(&r, err) || ls_run_init(&r.run, err) ? -1 : 0;
    if (rc) goto out;
    ls_malloc_share(count_workers(&r.config), r.config.stages[0].is_connector);
    look_at_sasl(&r);
    rc = start_broker(&r, err) || start_workers(&r, err) ? -1 : 0;
    if (rc) ls_run_stop(&r.run);
    if (rc == 0) rc = watch(&r, log, err);
    if (outcome(&r, rc ? &late : err) && rc == 0) rc = -1;
    free(r.workers);
    ls_memory_broker_free(r.run.memory);
    ls_run_free(&r.run);
out:
    if (r.signals >= 0) close(r.signals);
    ls_config_free(&r.config);
    return rc;
}

const ls_command ls_command_run = {
    .name = "run",
    .usage = "list_sync [run] SCRIPT [--only NAME]... [--until-caught-up] [--set K=V]...",
    .help = "runs the script's connectors and consumers; --until-caught-up: up to the databases' and topics' ends as of now",
    .needs_script = true,
    .takes = LS_ARG_ONLY | LS_ARG_UNTIL | LS_ARG_SET,
    .run = run,
};
