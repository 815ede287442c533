#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static int options(const ls_args *args, const ls_log *log, ls_error *err) {
    (void)log;
    ls_buf text = {0};
    bool page = strcmp(args->format, "text") != 0;
    if (page && args->script)
        return ls_fail(err, LS_USAGE, "--format %s is a page of all options: take \"%s\" out", args->format, args->script);
    int rc = page ? ls_args_page(args->format, &text, err) : ls_script_options(args->script, &text, err);
    if (rc == 0) fwrite(text.data, 1, text.len, stdout);
    ls_buf_free(&text);
    return rc;
}

const ls_command ls_command_options = {
    .name = "options",
    .usage = "list_sync options [NAME] [--format FORMAT]",
    .help = "the reference of the options that a script's calls take, and what is made of it",
    .takes = LS_ARG_FORMAT,
    .run = options,
};
