# fish completion for s6-tcpclient, from the tables in crates/cli by `make docs`

function __s6-tcpclient_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^tlTip]*[tlTip]$' -- $words[1]
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

function __s6-tcpclient_options
    set -l words (__s6-tcpclient_rest); and not set -q words[1]
end

complete -c s6-tcpclient -f
complete -c s6-tcpclient -n __s6-tcpclient_options -s q -d 'print errors only'
complete -c s6-tcpclient -n __s6-tcpclient_options -s Q -d 'print errors and warnings (default)'
complete -c s6-tcpclient -n __s6-tcpclient_options -s v -d 'print more than errors and warnings'
complete -c s6-tcpclient -n __s6-tcpclient_options -s 4 -d 'use IPv4 only'
complete -c s6-tcpclient -n __s6-tcpclient_options -s 6 -d 'use IPv6 only'
complete -c s6-tcpclient -n __s6-tcpclient_options -s D -d 'set TCP_NODELAY: send small packets at once'
complete -c s6-tcpclient -n __s6-tcpclient_options -s d -d 'do not set TCP_NODELAY (default)'
complete -c s6-tcpclient -n __s6-tcpclient_options -s H -d 'do not look up host names: host must be an address'
complete -c s6-tcpclient -n __s6-tcpclient_options -s h -d 'look for host names in /etc/hosts before DNS'
complete -c s6-tcpclient -n __s6-tcpclient_options -s r -d 'query the server\'s IDENT server (RFC 1413)'
complete -c s6-tcpclient -n __s6-tcpclient_options -s R -d 'do not query an IDENT server (default)'
complete -c s6-tcpclient -n __s6-tcpclient_options -s n -d 'try domain suffixes for the host\'s name'
complete -c s6-tcpclient -n __s6-tcpclient_options -s N -d 'do not try domain suffixes (default)'
complete -c s6-tcpclient -n 'test -z "$(__s6-tcpclient_rest)"' -s t -x -d 'time limit until the program runs (default: none)'
complete -c s6-tcpclient -n 'test -z "$(__s6-tcpclient_rest)"' -s l -x -d 'our own host name, instead of a lookup'
complete -c s6-tcpclient -n 'test -z "$(__s6-tcpclient_rest)"' -s T -x -d 'seconds for each address, in two rounds (default: 2+58)'
complete -c s6-tcpclient -n 'test -z "$(__s6-tcpclient_rest)"' -s i -x -d 'connect from this local address'
complete -c s6-tcpclient -n 'test -z "$(__s6-tcpclient_rest)"' -s p -x -d 'connect from this local port'

function __s6-tcpclient_command
    set -l words (__s6-tcpclient_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tcpclient -xa '(__s6-tcpclient_command)'
