# fish completion for s6-tlsd-io, from the tables in crates/cli by `make docs`

function __s6-tlsd-io_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^vdKk]*[vdKk]$' -- $words[1]
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

function __s6-tlsd-io_options
    set -l words (__s6-tlsd-io_rest); and not set -q words[1]
end

complete -c s6-tlsd-io -f
complete -c s6-tlsd-io -n 'test -z "$(__s6-tlsd-io_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --verbosity= -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-tlsd-io -n 'test -z "$(__s6-tlsd-io_rest)"' -s d -x -d 'report the handshake on this descriptor (default: none)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --notification-fd= -d 'report the handshake on this descriptor (default: none)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s S -l close-notify -d 'send a close_notify alert when our direction ends'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s s -l no-close-notify -d 'end our direction without a close_notify alert (default)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s J -l enforce-close-notify -d 'an end without close_notify from the peer is an error'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s j -l no-enforce-close-notify -d 'an end without close_notify is not an error (default)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s Y -l client-cert -d 'ask for a client certificate; accept clients without one'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -s y -l mandatory-client-cert -d 'ask for a client certificate and refuse clients without one'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l any-client-cert -d 'ask for a client certificate; accept any, whoever issued it'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --pin= -d 'accept only a peer with this certificate or key; repeatable'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --crl-check= -d 'peer\'s certificates to look up in CRLFILE (default: chain)'
complete -c s6-tlsd-io -n 'test -z "$(__s6-tlsd-io_rest)"' -s K -x -d 'time limit for the handshake (default: none)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --handshake-timeout= -d 'time limit for the handshake (default: none)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --idle-timeout= -d 'close after this time without cleartext (default: never)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l peer-info -d 'set variables for the key exchange and the peer\'s certificate'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l no-sandbox -d 'run the TLS process without its sandbox; for debugging'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --alpn= -d 'application protocols (ALPN), the preferred one first'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l key-guard -d 'keep the private key in a separate process'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --max-record= -d 'send at most n bytes of plaintext in a record (default: 16384)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --groups= -d 'key exchange groups (default: X25519MLKEM768 first)'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l check -d 'check all options and files, say what was found, and exit'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --check= -d 'check; exit 1 if a certificate of ours expires within n days'
complete -c s6-tlsd-io -n 'test -z "$(__s6-tlsd-io_rest)"' -s k -x -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -a --sni-level= -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l sni -d 'use the certificate for the name asked for, else the default'
complete -c s6-tlsd-io -n __s6-tlsd-io_options -l mandatory-sni -d 'use the certificate for the name asked for, else refuse'
