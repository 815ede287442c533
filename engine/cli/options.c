#include "cli/cli.h"

#include <stdio.h>

static int options(const ls_args *args, const ls_log *log, ls_error *err) {
    (void)log;
    ls_buf text = {0};
    int rc = ls_script_options(args->script, &text, err);
    if (rc == 0) fwrite(text.data, 1, text.len, stdout);
    ls_buf_free(&text);
    return rc;
}

const ls_command ls_command_options = {
    .name = "options",
    .usage = "list_sync options [NAME]",
    .help = "the reference of the options that a script's calls take",
    .run = options,
};
