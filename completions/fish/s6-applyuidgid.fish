# fish completion for s6-applyuidgid, from the tables in crates/cli by `make docs`

function __s6-applyuidgid_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^ugG]*[ugG]$' -- $words[1]
                    set -e words[1]
                    set -q words[1]; or return 1
                end
            case '*'
                break
        end
        set -e words[1]
    end
    string join \n -- $words
    return 0
end

function __s6-applyuidgid_options
    set -l words (__s6-applyuidgid_rest); and not set -q words[1]
end

complete -c s6-applyuidgid -f
complete -c s6-applyuidgid -n __s6-applyuidgid_options -s z -d 'remove the variables UID, GID and GIDLIST'
complete -c s6-applyuidgid -n __s6-applyuidgid_options -s U -d 'take the ids from the variables UID, GID and GIDLIST'
complete -c s6-applyuidgid -n 'test -z "$(__s6-applyuidgid_rest)"' -s u -x -d 'numeric user id; 0: do not change it'
complete -c s6-applyuidgid -n 'test -z "$(__s6-applyuidgid_rest)"' -s g -x -d 'numeric group id; 0: do not change it'
complete -c s6-applyuidgid -n 'test -z "$(__s6-applyuidgid_rest)"' -s G -x -d 'numeric supplementary groups, comma-separated; \'\': none'

function __s6-applyuidgid_command
    set -l words (__s6-applyuidgid_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c s6-applyuidgid -xa '(__s6-applyuidgid_command)'
