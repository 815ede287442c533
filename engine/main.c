#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* A closed pipe, and a file that may not grow further, are errors of write(2), not signals. SIGINT and SIGTERM end the
 * program as usual until `run` has workers to end. */
static void set_up_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv) {
    ls_args args;
    ls_error err = {0};
    ls_log log = {.fd = STDERR_FILENO, .least = LS_INFO, .stage = ""};
    ls_malloc_begin();
    int rc = ls_args_read(&args, argc, argv, &err);
    if (rc == 0 && args.version) {
        printf("list_sync " LIST_SYNC_VERSION "\n");
    } else if (rc == 0 && args.help) {
        ls_args_help(&args);
    } else if (rc == 0) {
        log.json = args.json_log;
        log.least = args.least;
        log.status_line = !args.json_log && args.least <= LS_INFO && isatty(STDERR_FILENO);
        set_up_signals();
        rc = args.command->run(&args, &log, &err);
    }
    log.status_line = false;
    if (rc) ls_log_line(&log, LS_ERROR, "%s", err.text);
    ls_args_free(&args);
    if (rc == 0) return LS_OK;
    return err.code >= LS_FAIL && err.code <= LS_FENCED ? (int)err.code : LS_FAIL;
}
