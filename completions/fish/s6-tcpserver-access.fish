# fish completion for s6-tcpserver-access, from the tables in crates/cli by `make docs`

function __s6-tcpserver-access_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^vlBtix]*[vlBtix]$' -- $words[1]
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

function __s6-tcpserver-access_options
    set -l words (__s6-tcpserver-access_rest); and not set -q words[1]
end

complete -c s6-tcpserver-access -f
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): clients, too; 2, 3: lookups'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s w -d 'drop the connection if a lookup fails'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s W -d 'keep the connection if a lookup fails (default)'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s D -d 'set TCP_NODELAY: send small packets at once'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s d -d 'do not set TCP_NODELAY (default)'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s H -d 'do not look up host names'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s h -d 'look for host names in /etc/hosts before DNS'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s r -d 'query the client\'s IDENT server (RFC 1413)'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s R -d 'do not query an IDENT server (default)'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s p -d 'refuse a client whose name does not resolve to its address'
complete -c s6-tcpserver-access -n __s6-tcpserver-access_options -s P -d 'accept a client whatever its name resolves to (default)'
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s l -x -d 'our own host name, instead of a lookup'
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s B -x -d 'text to send to the client first, in clear'
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s t -x -d 'time limit for everything before prog (default: none)'
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s i -xa '(__fish_complete_directories)' -d 'directory with the access rules'
complete -c s6-tcpserver-access -n 'test -z "$(__s6-tcpserver-access_rest)"' -s x -rF -d 'file with the access rules'

function __s6-tcpserver-access_command
    set -l words (__s6-tcpserver-access_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c s6-tcpserver-access -xa '(__s6-tcpserver-access_command)'
