# fish completion for s6-tcpserverd, from the tables in crates/cli by `make docs`

function __s6-tcpserverd_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^vcC]*[vcC]$' -- $words[1]
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

function __s6-tcpserverd_options
    set -l words (__s6-tcpserverd_rest); and not set -q words[1]
end

complete -c s6-tcpserverd -f
complete -c s6-tcpserverd -n 'test -z "$(__s6-tcpserverd_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-tcpserverd -n __s6-tcpserverd_options -s 1 -d 'print the port on standard output when ready'
complete -c s6-tcpserverd -n 'test -z "$(__s6-tcpserverd_rest)"' -s c -x -d 'maximum number of connections (default: 40)'
complete -c s6-tcpserverd -n 'test -z "$(__s6-tcpserverd_rest)"' -s C -x -d 'maximum number of connections from one address (default: 40)'
complete -c s6-tcpserverd -n __s6-tcpserverd_options -a --rate= -d 'limit of new connections from one address (default: none)'
complete -c s6-tcpserverd -n __s6-tcpserverd_options -a --ipv6-prefix= -d 'count IPv6 clients by the first n bits of their address'
complete -c s6-tcpserverd -n __s6-tcpserverd_options -a --drain= -d 'after SIGTERM wait at most this long for connections to end'

function __s6-tcpserverd_command
    set -l words (__s6-tcpserverd_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c s6-tcpserverd -xa '(__s6-tcpserverd_command)'
