# bash completion for list_sync. Made with: list_sync options --format bash
_list_sync() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= words=0 opts= i
    local IFS=$' \t\n'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do # readline takes = for a word of its own
        case ${COMP_WORDS[i]} in
        --only | -n | --cases | --set | --format | --log-format)
            [[ ${COMP_WORDS[i + 1]} = '=' ]] && i=$((i + 1))
            i=$((i + 1)) ;;
        =) i=$((i + 1)) ;;
        -*) ;;
        *)
            words=$((words + 1))
            [[ $words = 1 ]] && command=${COMP_WORDS[i]} ;;
        esac
    done
    [[ $cur = '=' ]] && cur=
    [[ $prev = '=' && $COMP_CWORD -gt 2 ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
    case $prev in
    --only) return ;;
    -n) return ;;
    --cases) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --set) return ;;
    --format) COMPREPLY=($(compgen -W 'text lua man bash zsh fish' -- "$cur")); return ;;
    --log-format) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
    esac
    case $command in
    run | check | print | test | options | '') ;;
    *) command=run words=2 ;; # a script
    esac
    if [[ $cur = -* ]]; then
        case $command in
        run) opts='--only --until-caught-up --set --log-format -v -q -h --help --version' ;;
        check) opts='--only --offline --set --log-format -v -q -h --help --version' ;;
        print) opts='--only -n --cases --set --log-format -v -q -h --help --version' ;;
        test) opts='--only --update --set --log-format -v -q -h --help --version' ;;
        options) opts='--format --log-format -v -q -h --help --version' ;;
        *) opts='--log-format -v -q -h --help --version' ;;
        esac
        COMPREPLY=($(compgen -W "$opts" -- "$cur"))
        return
    fi
    case $command in
    '') COMPREPLY=($(compgen -W 'run check print test options' -- "$cur")) ;;
    options)
        [[ $words = 1 ]] && COMPREPLY=($(compgen -W 'absent as auto_offset_reset bom callback close columns compress connector consumer consumer_id csv_writer database db_type ddl decode delimiter delivery discard filename filter flush flush_every format formula_guard group_id header headers hook_timeout host identity instances json kafka_conf key layout map max_open_files max_topics memory moves name newline null on_invalid_text open partition_root partitions password plugin port publication quote replication rotate row_image script_memory server_id slot source split_files start table tables tombstones topic topic_list user write writer' -- "$cur"))
        return ;;
    *) [[ $words = 1 ]] || return ;;
    esac
    IFS=$'\n'
    COMPREPLY+=($(compgen -f -X '!*.lua' -- "$cur") $(compgen -d -- "$cur"))
    compopt -o filenames 2>/dev/null
}
complete -F _list_sync list_sync
