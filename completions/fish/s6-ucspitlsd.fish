# fish completion for s6-ucspitlsd, from the tables in crates/cli by `make docs`

function __s6-ucspitlsd_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^vKk]*[vKk]$' -- $words[1]
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

function __s6-ucspitlsd_options
    set -l words (__s6-ucspitlsd_rest); and not set -q words[1]
end

complete -c s6-ucspitlsd -f
complete -c s6-ucspitlsd -n 'test -z "$(__s6-ucspitlsd_rest)"' -s v -x -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --verbosity= -d 'messages: 0: errors; 1 (default): warnings, too; 2: everything'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s S -l close-notify -d 'send a close_notify alert when our direction ends'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s s -l no-close-notify -d 'end our direction without a close_notify alert (default)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s J -l enforce-close-notify -d 'an end without close_notify from the peer is an error'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s j -l no-enforce-close-notify -d 'an end without close_notify is not an error (default)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s Y -l client-cert -d 'ask for a client certificate; accept clients without one'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s y -l mandatory-client-cert -d 'ask for a client certificate and refuse clients without one'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l any-client-cert -d 'ask for a client certificate; accept any, whoever issued it'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --pin= -d 'accept only a peer with this certificate or key; repeatable'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --crl-check= -d 'peer\'s certificates to look up in CRLFILE (default: chain)'
complete -c s6-ucspitlsd -n 'test -z "$(__s6-ucspitlsd_rest)"' -s K -x -d 'time limit for the handshake (default: none)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --handshake-timeout= -d 'time limit for the handshake (default: none)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --idle-timeout= -d 'close after this time without cleartext (default: never)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l peer-info -d 'set variables for the key exchange and the peer\'s certificate'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l no-sandbox -d 'run the TLS process without its sandbox; for debugging'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --alpn= -d 'application protocols (ALPN), the preferred one first'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l key-guard -d 'keep the private key in a separate process'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --max-record= -d 'send at most n bytes of plaintext in a record (default: 16384)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --groups= -d 'key exchange groups (default: X25519MLKEM768 first)'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l check -d 'check all options and files, say what was found, and exit'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --check= -d 'check; exit 1 if a certificate of ours expires within n days'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s Z -l keep -d 'let the program see KEYFILE, CERTFILE and the like'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -s z -l no-keep -d 'hide KEYFILE, CERTFILE and the like from the program (default)'
complete -c s6-ucspitlsd -n 'test -z "$(__s6-ucspitlsd_rest)"' -s k -x -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -a --sni-level= -d 'SNI: 0 (default): ignored; 1: as --sni; 2: as --mandatory-sni'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l sni -d 'use the certificate for the name asked for, else the default'
complete -c s6-ucspitlsd -n __s6-ucspitlsd_options -l mandatory-sni -d 'use the certificate for the name asked for, else refuse'

function __s6-ucspitlsd_command
    set -l words (__s6-ucspitlsd_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c s6-ucspitlsd -xa '(__s6-ucspitlsd_command)'
