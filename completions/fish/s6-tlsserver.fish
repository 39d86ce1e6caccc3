# fish completion for s6-tlsserver, from the tables in crates/cli by `make docs`

function __s6-tlsserver_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^cCblBtixKkGgu]*[cCblBtixKkGgu]$' -- $words[1]
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

function __s6-tlsserver_options
    set -l words (__s6-tlsserver_rest); and not set -q words[1]
end

complete -c s6-tlsserver -f
complete -c s6-tlsserver -n __s6-tlsserver_options -s q -l quiet -d 'print errors only'
complete -c s6-tlsserver -n __s6-tlsserver_options -s v -l verbose -d 'print everything; run the other programs with -v2'
complete -c s6-tlsserver -n __s6-tlsserver_options -s Q -l normally-verbose -d 'print errors and warnings (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s 1 -l notify -d 'print the port on standard output when ready'
complete -c s6-tlsserver -n __s6-tlsserver_options -s a -l dual-stack -d 'accept IPv4 clients, too, if ip is ::'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s c -x -d 'maximum number of connections (default: 40)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --global-max-connections= -d 'maximum number of connections (default: 40)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s C -x -d 'maximum number of connections from one address (default: 40)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --local-max-connections= -d 'maximum number of connections from one address (default: 40)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s b -x -d 'listen backlog (default: the maximum); 0: do not listen'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --backlog= -d 'listen backlog (default: the maximum); 0: do not listen'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --rate= -d 'limit of new connections from one address (default: none)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --ipv6-prefix= -d 'count IPv6 clients by the first n bits of their address'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --drain= -d 'after SIGTERM wait at most this long for connections to end'
complete -c s6-tlsserver -n __s6-tlsserver_options -s w -l strict-resolution -d 'drop the connection if a lookup fails'
complete -c s6-tlsserver -n __s6-tlsserver_options -s W -l no-strict-resolution -d 'keep the connection if a lookup fails (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s D -l no-nagle -d 'set TCP_NODELAY: send small packets at once'
complete -c s6-tlsserver -n __s6-tlsserver_options -s d -l nagle -d 'do not set TCP_NODELAY (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s H -l no-dns -d 'do not look up host names'
complete -c s6-tlsserver -n __s6-tlsserver_options -l dns -d 'look up host names (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s h -l hosts -d 'look for host names in /etc/hosts before DNS'
complete -c s6-tlsserver -n __s6-tlsserver_options -l no-hosts -d 'look for host names in DNS only, not in /etc/hosts (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s r -l ident -d 'query the client\'s IDENT server (RFC 1413)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s R -l no-ident -d 'do not query an IDENT server (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s p -l paranoid -d 'refuse a client whose name does not resolve to its address'
complete -c s6-tlsserver -n __s6-tlsserver_options -s P -l no-paranoid -d 'accept a client whatever its name resolves to (default)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s l -x -d 'our own host name, instead of a lookup'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --local-name= -d 'our own host name, instead of a lookup'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s B -x -d 'text to send to the client first, in clear'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --banner= -d 'text to send to the client first, in clear'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s t -x -d 'time limit for everything before prog (default: none)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --timeout= -d 'time limit for everything before prog (default: none)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s i -xa '(__fish_complete_directories)' -d 'directory with the access rules; overrides -x'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --rules-directory= -d 'directory with the access rules; overrides -x'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s x -rF -d 'file with the access rules'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --rules-file= -d 'file with the access rules'
complete -c s6-tlsserver -n __s6-tlsserver_options -s S -l close-notify -d 'send a close_notify alert when our direction ends'
complete -c s6-tlsserver -n __s6-tlsserver_options -s s -l no-close-notify -d 'end our direction without a close_notify alert (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s J -l enforce-close-notify -d 'an end without close_notify from the peer is an error'
complete -c s6-tlsserver -n __s6-tlsserver_options -s j -l no-enforce-close-notify -d 'an end without close_notify is not an error (default)'
complete -c s6-tlsserver -n __s6-tlsserver_options -s Y -l client-cert -d 'ask for a client certificate; accept clients without one'
complete -c s6-tlsserver -n __s6-tlsserver_options -s y -l mandatory-client-cert -d 'ask for a client certificate and refuse clients without one'
complete -c s6-tlsserver -n __s6-tlsserver_options -l any-client-cert -d 'ask for a client certificate; accept any, whoever issued it'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --pin= -d 'accept only a peer with this certificate or key; repeatable'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --crl-check= -d 'peer\'s certificates to look up in CRLFILE (default: chain)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s K -x -d 'time limit for the handshake (default: none)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --handshake-timeout= -d 'time limit for the handshake (default: none)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --idle-timeout= -d 'close after this time without cleartext (default: never)'
complete -c s6-tlsserver -n __s6-tlsserver_options -l peer-info -d 'set variables for the key exchange and the peer\'s certificate'
complete -c s6-tlsserver -n __s6-tlsserver_options -l no-sandbox -d 'run the TLS process without its sandbox; for debugging'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --alpn= -d 'application protocols (ALPN), the preferred one first'
complete -c s6-tlsserver -n __s6-tlsserver_options -l key-guard -d 'keep the private key in a separate process'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --max-record= -d 'send at most n bytes of plaintext in a record (default: 16384)'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --groups= -d 'key exchange groups (default: X25519MLKEM768 first)'
complete -c s6-tlsserver -n __s6-tlsserver_options -l check -d 'check all options and files, say what was found, and exit'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --check= -d 'check; exit 1 if a certificate of ours expires within n days'
complete -c s6-tlsserver -n __s6-tlsserver_options -s Z -l keep -d 'let the program see KEYFILE, CERTFILE and the like'
complete -c s6-tlsserver -n __s6-tlsserver_options -s z -l no-keep -d 'hide KEYFILE, CERTFILE and the like from the program (default)'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s k -x -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --sni-level= -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-tlsserver -n __s6-tlsserver_options -l sni -d 'use the certificate for the name asked for, else the default'
complete -c s6-tlsserver -n __s6-tlsserver_options -l mandatory-sni -d 'use the certificate for the name asked for, else refuse'
complete -c s6-tlsserver -n __s6-tlsserver_options -s U -l envuidgid -d 'take the ids from UID, GID and GIDLIST, not from -u -g -G'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s G -x -d 'numeric supplementary groups, comma-separated; \'\': none'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --gidlist= -d 'numeric supplementary groups, comma-separated; \'\': none'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s g -x -d 'numeric group id; 0: do not change it'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --gid= -d 'numeric group id; 0: do not change it'
complete -c s6-tlsserver -n 'test -z "$(__s6-tlsserver_rest)"' -s u -x -d 'numeric user id; 0: do not change it'
complete -c s6-tlsserver -n __s6-tlsserver_options -a --uid= -d 'numeric user id; 0: do not change it'
complete -c s6-tlsserver -n __s6-tlsserver_options -s L -l proxy -d 'clients come through a proxy that sends a PROXY header'

function __s6-tlsserver_command
    set -l words (__s6-tlsserver_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tlsserver -xa '(__s6-tlsserver_command)'
