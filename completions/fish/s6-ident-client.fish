# fish completion for s6-ident-client, from the tables in crates/cli by `make docs`

function __s6-ident-client_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^t]*[t]$' -- $words[1]
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

function __s6-ident-client_options
    set -l words (__s6-ident-client_rest); and not set -q words[1]
end

complete -c s6-ident-client -f
complete -c s6-ident-client -n 'test -z "$(__s6-ident-client_rest)"' -s t -x -d 'time limit for the answer (default: 30000)'
