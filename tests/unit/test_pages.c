/* The pages that are generated: those in the tree are what the program says now, and editors are told what the engine takes. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *format, *path; /* made with: list_sync options --format FORMAT > PATH */
} pages[] = {
    {"lua", TESTS_DIR "/../lua/list_sync/meta/list_sync.lua"},
    {"man", TESTS_DIR "/../docs/list_sync.1"},
    {"bash", TESTS_DIR "/../completions/list_sync.bash"},
    {"zsh", TESTS_DIR "/../completions/list_sync.zsh"},
    {"fish", TESTS_DIR "/../completions/list_sync.fish"},
};

static void test_pages_are_of_today(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        ls_buf want = {0}, file = {0};
        ls_error err;
        if (ls_args_page(pages[i].format, &want, &err)) fail_msg("%s", err.text);
        FILE *f = fopen(pages[i].path, "rb");
        if (!f) fail_msg("%s is missing", pages[i].path);
        for (int ch; (ch = fgetc(f)) != EOF;) ls_buf_char(&file, (char)ch);
        fclose(f);
        if (strcmp(ls_buf_cstr(&file), ls_buf_cstr(&want)))
            fail_msg("%s is of yesterday: list_sync options --format %s > it", pages[i].path, pages[i].format);
        ls_buf_free(&want);
        ls_buf_free(&file);
    }
}

static void test_editors_are_told_what_the_engine_takes(void **state) {
    (void)state;
    static const ls_script_env env = {0};
    ls_script *s;
    ls_error err;
    if (ls_script_open(&s, TESTS_DIR "/lua/annotations.lua", &env, &err)) fail_msg("%s", err.text);
    ls_script_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_of_today),
        cmocka_unit_test(test_editors_are_told_what_the_engine_takes),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
