# fish completion for s6-tlsa, from the tables in crates/cli by `make docs`

function __s6-tlsa_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^vpt]*[vpt]$' -- $words[1]
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

function __s6-tlsa_options
    set -l words (__s6-tlsa_rest); and not set -q words[1]
end

complete -c s6-tlsa -f
complete -c s6-tlsa -n 'test -z "$(__s6-tlsa_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-tlsa -n __s6-tlsa_options -a --verbosity= -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-tlsa -n 'test -z "$(__s6-tlsa_rest)"' -s p -x -d 'port of the server (default: 443)'
complete -c s6-tlsa -n __s6-tlsa_options -a --port= -d 'port of the server (default: 443)'
complete -c s6-tlsa -n 'test -z "$(__s6-tlsa_rest)"' -s t -x -d 'time limit for all lookups (default: none)'
complete -c s6-tlsa -n __s6-tlsa_options -a --timeout= -d 'time limit for all lookups (default: none)'
complete -c s6-tlsa -n __s6-tlsa_options -l required -d 'fail without usable, authentic records'
complete -c s6-tlsa -n __s6-tlsa_options -l trust-resolver -d 'trust resolvers on other machines, too'

function __s6-tlsa_command
    set -l words (__s6-tlsa_rest); or return
    test (count $words) -ge 1; or return
    complete -C (string join ' ' -- (string escape -- $words[2..]) (commandline -ct))
end
complete -c s6-tlsa -xa '(__s6-tlsa_command)'
