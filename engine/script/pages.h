/* pages.h - the pages that are generated: the manual page, completions, annotations for editors. lua/list_sync/pages.lua writes them of the
 * script's option table and of the command line, which cli/ describes here from its own tables. */
#ifndef LS_PAGES_H
#define LS_PAGES_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ls_usage_option {
    const char *name;    /* without its dashes; NULL: it has only a letter */
    char letter;         /* 0: it has only a name */
    const char *value;   /* what its value is called, FILE: completed as a file; NULL: it takes none */
    const char *choices; /* the values that there are, with blanks between; NULL: any */
    const char *help;
    unsigned of;         /* bits of ls_usage_command.takes: commands with one of them take it; 0: all do */
} ls_usage_option;

typedef struct ls_usage_command {
    const char *name, *usage, *help;
    const char *words; /* one of these stands first, and then the script; NULL: no such word */
    bool script; /* its first word is a script; else it is an option's name */
    unsigned takes;
} ls_usage_command;

typedef struct ls_usage_exit {
    int code;
    const char *meaning;
} ls_usage_exit;

/* All of it, borrowed. */
typedef struct ls_usage {
    const char *about, *version;
    const ls_usage_command *commands;
    const ls_usage_option *options;
    const ls_usage_exit *exits;
    size_t ncommands, noptions, nexits;
} ls_usage;

/* Appends the page: "lua", "man", "bash", "zsh" or "fish". */
int ls_script_page(const char *format, const ls_usage *u, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
