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
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s D -l no-reuse-address -d 'do not set SO_REUSEADDR'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s d -l reuse-address -d 'set SO_REUSEADDR (default)'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s a -l dual-stack -d 'accept IPv4 clients, too, if ip is ::'
complete -c s6-tcpserver-socketbinder -n 'test -z "$(__s6-tcpserver-socketbinder_rest)"' -s b -x -d 'listen backlog (default: the maximum); 0: do not listen'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -a --backlog= -d 'listen backlog (default: the maximum); 0: do not listen'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s m -l udp -d 'make a datagram socket; needs -b 0'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s M -l tcp -d 'make a stream socket (default)'
complete -c s6-tcpserver-socketbinder -n __s6-tcpserver-socketbinder_options -s B -l block -d 'make the socket blocking (default: non-blocking)'

function __s6-tcpserver-socketbinder_command
    set -l words (__s6-tcpserver-socketbinder_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tcpserver-socketbinder -xa '(__s6-tcpserver-socketbinder_command)'
