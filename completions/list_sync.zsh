#compdef list_sync
# zsh completion for list_sync. Made with: list_sync options --format zsh
_list_sync_first() {
    local -a commands
    commands=(
        'run:runs the script'\''s connectors and consumers; --until-caught-up\: up to the databases'\'' and topics'\'' ends as of now'
        'check:looks the script over, and (without --offline) each connector'\''s server, settings, grants and tables; runs hooks on made-up rows'
        'print:shows a stage'\''s messages, after its hooks, as JSON lines on stdout; moves no position'
        'test:gives stages the rows of cases (default\: SCRIPT'\''s name with .cases.lua) and compares what they make of them; asks no server'
        'options:the reference of the options that a script'\''s calls take, and what is made of it'
    )
    _describe -t commands command commands
    _files -g '*.lua(-.)'
}

_list_sync() {
    local command=run
    integer i
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
        (--only|-n|--cases|--set|--format|--log-format) ((i++)) ;;
        (-*) ;;
        (run|check|print|test|options) command=${words[i]}; break ;;
        (*) break ;;
        esac
    done
    case $command in
    (run)
        _arguments -s \
            '*--only[this stage alone; may come several times]:NAME: ' \
            '*--until-caught-up[up to the databases'\'' and then the topics'\'' ends as of now]' \
            '*--set[a value for the script'\''s ls.param(NAME, default)]:NAME=VALUE: ' \
            '*--log-format[how log lines on stderr look\: text or json]:FORMAT:(text json)' \
            '*-v[more log lines]' \
            '*-q[fewer log lines]' \
            '*-h[tells this]' \
            '*--help[tells this]' \
            '*--version[tells the version]' \
            '1: :_list_sync_first' \
            '2:script:_files -g '\''*.lua(-.)'\''' ;;
    (check)
        _arguments -s \
            '*--only[this stage alone; may come several times]:NAME: ' \
            '*--offline[asks no server]' \
            '*--set[a value for the script'\''s ls.param(NAME, default)]:NAME=VALUE: ' \
            '*--log-format[how log lines on stderr look\: text or json]:FORMAT:(text json)' \
            '*-v[more log lines]' \
            '*-q[fewer log lines]' \
            '*-h[tells this]' \
            '*--help[tells this]' \
            '*--version[tells the version]' \
            '1: :_list_sync_first' \
            '2:script:_files -g '\''*.lua(-.)'\''' ;;
    (print)
        _arguments -s \
            '*--only[this stage alone; may come several times]:NAME: ' \
            '*-n[ends after N rows]:N: ' \
            '*--cases[also writes the rows, real data, as cases for `test` into a new file]:FILE:_files' \
            '*--set[a value for the script'\''s ls.param(NAME, default)]:NAME=VALUE: ' \
            '*--log-format[how log lines on stderr look\: text or json]:FORMAT:(text json)' \
            '*-v[more log lines]' \
            '*-q[fewer log lines]' \
            '*-h[tells this]' \
            '*--help[tells this]' \
            '*--version[tells the version]' \
            '1: :_list_sync_first' \
            '2:script:_files -g '\''*.lua(-.)'\''' ;;
    (test)
        _arguments -s \
            '*--only[this stage alone; may come several times]:NAME: ' \
            '*--update[writes what the failing cases got into their file]' \
            '*--set[a value for the script'\''s ls.param(NAME, default)]:NAME=VALUE: ' \
            '*--log-format[how log lines on stderr look\: text or json]:FORMAT:(text json)' \
            '*-v[more log lines]' \
            '*-q[fewer log lines]' \
            '*-h[tells this]' \
            '*--help[tells this]' \
            '*--version[tells the version]' \
            '1: :_list_sync_first' \
            '2:script:_files -g '\''*.lua(-.)'\''' ;;
    (options)
        _arguments -s \
            '*--format[text, annotations for editors (lua), the manual page (man), or a shell'\''s completion]:FORMAT:(text lua man bash zsh fish)' \
            '*--log-format[how log lines on stderr look\: text or json]:FORMAT:(text json)' \
            '*-v[more log lines]' \
            '*-q[fewer log lines]' \
            '*-h[tells this]' \
            '*--help[tells this]' \
            '*--version[tells the version]' \
            '1: :_list_sync_first' \
            '2:name:(absent as auto_offset_reset bom callback close columns compress connector consumer consumer_id csv_writer database db_type ddl decode delimiter delivery discard filename filter flush flush_every format formula_guard group_id header headers hook_timeout host identity instances json kafka_conf key layout map max_open_files max_topics memory moves name newline null on_invalid_text open partition_root partitions password plugin port publication quote replication rotate row_image script_memory server_id slot source split_files start table tables tombstones topic topic_list user write writer)' ;;
    esac
}

if [[ ${funcstack[1]} = _list_sync ]]; then
    _list_sync "$@"
else
    compdef _list_sync list_sync
fi
