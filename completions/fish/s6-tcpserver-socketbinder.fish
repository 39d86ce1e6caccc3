# fish completion for s6-tcpserver-socketbinder, from the tables in crates/cli by `make docs`

function __s6-tcpserver-socketbinder_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^b]*[b]$' -- $words[1]
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

function __s6-tcpserver-socketbinder_options
    set -l words (__s6-tcpserver-socketbinder_rest); and not set -q words[1]
end

complete -c s6-tcpserver-socketbinder -f
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s D -l no-reuse-address -d 'do not take an address that was in use a moment ago'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s d -l reuse-address -d 'take an address that was in use a moment ago (default)'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s a -l dual-stack -d 'with ip ::, serve IPv4 clients too'
complete -c s6-tcpserver-socketbinder -n 'test -z "$(__s6-tcpserver-socketbinder_rest)"' -s b -x -d 'backlog of the socket; 0: do not listen'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -a --backlog= -d 'backlog of the socket; 0: do not listen'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s m -l udp -d 'a datagram socket, with -b 0'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s M -l tcp -d 'make a stream socket (default)'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s B -l block -d 'a blocking socket'

function __s6-tcpserver-socketbinder_command
    set -l words (__s6-tcpserver-socketbinder_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tcpserver-socketbinder -xa '(__s6-tcpserver-socketbinder_command)'
