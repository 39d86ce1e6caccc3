# fish completion for s6-tlsclient, from the tables in crates/cli by `make docs`

function __s6-tlsclient_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^tlTipKk]*[tlTipKk]$' -- $words[1]
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

function __s6-tlsclient_options
    set -l words (__s6-tlsclient_rest); and not set -q words[1]
end

complete -c s6-tlsclient -f
complete -c s6-tlsclient -n __s6-tlsclient_options -s q -l quiet -d 'print errors only'
complete -c s6-tlsclient -n __s6-tlsclient_options -s v -l verbose -d 'print more than errors and warnings'
complete -c s6-tlsclient -n __s6-tlsclient_options -s Q -l normally-verbose -d 'print errors and warnings (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s 4 -l ipv4 -d 'use IPv4 only'
complete -c s6-tlsclient -n __s6-tlsclient_options -s 6 -l ipv6 -d 'use IPv6 only'
complete -c s6-tlsclient -n __s6-tlsclient_options -s D -l no-nagle -d 'set TCP_NODELAY: send small packets at once'
complete -c s6-tlsclient -n __s6-tlsclient_options -s d -l nagle -d 'do not set TCP_NODELAY (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s H -l no-dns -d 'do not look up host names: host must be an address'
complete -c s6-tlsclient -n __s6-tlsclient_options -l dns -d 'look up host names (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s h -l hosts -d 'look for host names in /etc/hosts before DNS'
complete -c s6-tlsclient -n __s6-tlsclient_options -l no-hosts -d 'look for host names in DNS only, not in /etc/hosts (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s r -l ident -d 'query the server\'s IDENT server (RFC 1413)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s R -l no-ident -d 'do not query an IDENT server (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s n -l qualify -d 'try domain suffixes for the host\'s name'
complete -c s6-tlsclient -n __s6-tlsclient_options -s N -l no-qualify -d 'do not try domain suffixes (default)'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s t -x -d 'time limit until the program runs (default: none)'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --timeout= -d 'time limit until the program runs (default: none)'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s l -x -d 'our own host name, instead of a lookup'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --local-name= -d 'our own host name, instead of a lookup'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s T -x -d 'seconds for each address, in two rounds (default: 2+58)'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --connection-timeouts= -d 'seconds for each address, in two rounds (default: 2+58)'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s i -x -d 'connect from this local address'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --local-ip= -d 'connect from this local address'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s p -x -d 'connect from this local port'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --local-port= -d 'connect from this local port'
complete -c s6-tlsclient -n __s6-tlsclient_options -l dane -d 'verify by the server\'s TLSA records (DANE), if it has any'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --dane= -d 'verify by the server\'s TLSA records (DANE), or fail'
complete -c s6-tlsclient -n __s6-tlsclient_options -l dane-trust-resolver -d 'use DANE, and trust resolvers on other machines, too'
complete -c s6-tlsclient -n __s6-tlsclient_options -s S -l close-notify -d 'send a close_notify alert when our direction ends'
complete -c s6-tlsclient -n __s6-tlsclient_options -s s -l no-close-notify -d 'end our direction without a close_notify alert (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s J -l enforce-close-notify -d 'an end without close_notify from the peer is an error'
complete -c s6-tlsclient -n __s6-tlsclient_options -s j -l no-enforce-close-notify -d 'an end without close_notify is not an error (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s y -l client-cert -d 'offer the certificate of CERTFILE if the server asks'
complete -c s6-tlsclient -n __s6-tlsclient_options -s Y -l no-client-cert -d 'do not offer the certificate of CERTFILE (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -l no-verify-cert -d 'accept any server certificate, even an expired or wrong one'
complete -c s6-tlsclient -n __s6-tlsclient_options -l verify-cert -d 'verify the server\'s certificate (default)'
complete -c s6-tlsclient -n __s6-tlsclient_options -l webpki-roots -d 'trust Mozilla\'s CA certificates, which are compiled in'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --pin= -d 'accept only a peer with this certificate or key; repeatable'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --crl-check= -d 'peer\'s certificates to look up in CRLFILE (default: chain)'
complete -c s6-tlsclient -n __s6-tlsclient_options -s Z -l keep -d 'let the program see KEYFILE, CERTFILE and the like'
complete -c s6-tlsclient -n __s6-tlsclient_options -s z -l no-keep -d 'hide KEYFILE, CERTFILE and the like from the program (default)'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s K -x -d 'time limit for the handshake (default: none)'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --handshake-timeout= -d 'time limit for the handshake (default: none)'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --idle-timeout= -d 'close after this time without cleartext (default: never)'
complete -c s6-tlsclient -n __s6-tlsclient_options -l peer-info -d 'set variables for the key exchange and the peer\'s certificate'
complete -c s6-tlsclient -n __s6-tlsclient_options -l no-sandbox -d 'run the TLS process without its sandbox; for debugging'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --alpn= -d 'application protocols (ALPN), the preferred one first'
complete -c s6-tlsclient -n __s6-tlsclient_options -l key-guard -d 'keep the private key in a separate process'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --max-record= -d 'send at most n bytes of plaintext in a record (default: 16384)'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --groups= -d 'key exchange groups (default: X25519MLKEM768 first)'
complete -c s6-tlsclient -n __s6-tlsclient_options -l check -d 'check all options and files, say what was found, and exit'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --check= -d 'check; exit 1 if a certificate of ours expires within n days'
complete -c s6-tlsclient -n 'test -z "$(__s6-tlsclient_rest)"' -s k -x -d 'server name to send (SNI) and to check in the certificate'
complete -c s6-tlsclient -n __s6-tlsclient_options -a --servername= -d 'server name to send (SNI) and to check in the certificate'

function __s6-tlsclient_command
    set -l words (__s6-tlsclient_rest); or return
    test (count $words) -ge 2; or return
    complete -C (string join ' ' -- (string escape -- $words[3..]) (commandline -ct))
end
complete -c s6-tlsclient -xa '(__s6-tlsclient_command)'
