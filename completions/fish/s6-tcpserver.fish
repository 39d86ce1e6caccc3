# fish completion for s6-tcpserver, from the tables in crates/cli by `make docs`

function __s6-tcpserver_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^cCbugG]*[cCbugG]$' -- $words[1]
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

function __s6-tcpserver_options
    set -l words (__s6-tcpserver_rest); and not set -q words[1]
end

complete -c s6-tcpserver -f
complete -c s6-tcpserver -n __s6-tcpserver_options -s q -d 'print errors only'
complete -c s6-tcpserver -n __s6-tcpserver_options -s v -d 'print everything; run the other programs with -v2'
complete -c s6-tcpserver -n __s6-tcpserver_options -s Q -d 'print errors and warnings (default)'
complete -c s6-tcpserver -n __s6-tcpserver_options -s D -d 'do not set SO_REUSEADDR'
complete -c s6-tcpserver -n __s6-tcpserver_options -s d -d 'set SO_REUSEADDR (default)'
complete -c s6-tcpserver -n __s6-tcpserver_options -s 1 -d 'print the port on standard output when ready'
complete -c s6-tcpserver -n __s6-tcpserver_options -s a -d 'accept IPv4 clients, too, if ip is ::'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s c -x -d 'maximum number of connections (default: 40)'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s C -x -d 'maximum number of connections from one address (default: 40)'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s b -x -d 'listen backlog (default: the maximum); 0: do not listen'
complete -c s6-tcpserver -n __s6-tcpserver_options -s U -d 'take the ids from the variables UID, GID and GIDLIST'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s u -x -d 'numeric user id; 0: do not change it'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s g -x -d 'numeric group id; 0: do not change it'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s G -x -d 'numeric supplementary groups, comma-separated; \'\': none'
complete -c s6-tcpserver -n __s6-tcpserver_options -a --rate= -d 'limit of new connections from one address (default: none)'
complete -c s6-tcpserver -n __s6-tcpserver_options -a --ipv6-prefix= -d 'count IPv6 clients by the first n bits of their address'
complete -c s6-tcpserver -n __s6-tcpserver_options -a --drain= -d 'after SIGTERM wait at most this long for connections to end'

function __s6-tcpserver_command
    set -l words (__s6-tcpserver_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tcpserver -xa '(__s6-tcpserver_command)'
