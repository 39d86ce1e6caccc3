# fish completion for s6-getservbyname, from the tables in crates/cli by `make docs`

function __s6-getservbyname_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
            case '*'
                break
        end
        set -e words[1]
    end
    string join \n -- $words
    return 0
end

function __s6-getservbyname_options
    set -l words (__s6-getservbyname_rest); and not set -q words[1]
end

complete -c s6-getservbyname -f
