# fish completion for proxy-server, from the tables in crates/cli by `make docs`

function __proxy-server_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^tv]*[tv]$' -- $words[1]
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

function __proxy-server_options
    set -l words (__proxy-server_rest); and not set -q words[1]
end

complete -c proxy-server -f
complete -c proxy-server -n __proxy-server_options -s 1 -l only-v1 -d 'accept version 1 of the protocol only'
complete -c proxy-server -n __proxy-server_options -s 2 -l only-v2 -d 'accept version 2 of the protocol only'
complete -c proxy-server -n 'test -z "$(__proxy-server_rest)"' -s t -x -d 'time limit for the header (default: none)'
complete -c proxy-server -n __proxy-server_options -a --timeout= -d 'time limit for the header (default: none)'
complete -c proxy-server -n 'test -z "$(__proxy-server_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): warnings, too'
complete -c proxy-server -n __proxy-server_options -a --verbosity= -d 'messages: 0: errors; 1 (default): warnings, too'
complete -c proxy-server -n __proxy-server_options -l before-tlsd -d 'save the proxy\'s SSL variables before s6-tlsd sets its own'
complete -c proxy-server -n __proxy-server_options -l after-tlsd -d 'read no header; restore the proxy\'s SSL variables'

function __proxy-server_command
    set -l words (__proxy-server_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c proxy-server -xa '(__proxy-server_command)'
