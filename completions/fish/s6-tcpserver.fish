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
complete -c s6-tcpserver -n __s6-tcpserver_options -s q -d 'say nothing but errors'
complete -c s6-tcpserver -n __s6-tcpserver_options -s v -d 'say everything: -v2 of the programs that it runs'
complete -c s6-tcpserver -n __s6-tcpserver_options -s Q -d 'say errors and warnings (default)'
complete -c s6-tcpserver -n __s6-tcpserver_options -s D -d 'do not take an address that was in use a moment ago'
complete -c s6-tcpserver -n __s6-tcpserver_options -s d -d 'take an address that was in use a moment ago (default)'
complete -c s6-tcpserver -n __s6-tcpserver_options -s 1 -d 'print the port on standard output when ready'
complete -c s6-tcpserver -n __s6-tcpserver_options -s a -d 'with ip ::, serve IPv4 clients too'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s c -x -d 'at most so many connections (default: 40)'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s C -x -d 'the same for each address (default: 40)'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s b -x -d 'backlog of the socket; 0: do not listen'
complete -c s6-tcpserver -n __s6-tcpserver_options -s U -d 'ids from the variables UID, GID and GIDLIST'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s u -x -d 'user id, a number; 0: leave it alone'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s g -x -d 'group id, a number; 0: leave it alone'
complete -c s6-tcpserver -n 'test -z "$(__s6-tcpserver_rest)"' -s G -x -d 'supplementary groups, separated by commas; \'\' for none'

function __s6-tcpserver_command
    set -l words (__s6-tcpserver_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tcpserver -xa '(__s6-tcpserver_command)'
