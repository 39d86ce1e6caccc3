# fish completion for s6-ucspitlsc, from the tables in crates/cli by `make docs`

function __s6-ucspitlsc_rest
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '--*'
            case '-?*'
                if string match -qr '^-[^v67Kk]*[v67Kk]$' -- $words[1]
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

function __s6-ucspitlsc_options
    set -l words (__s6-ucspitlsc_rest); and not set -q words[1]
end

complete -c s6-ucspitlsc -f
complete -c s6-ucspitlsc -n 'test -z "$(__s6-ucspitlsc_rest)"' -s v -x -d '0: errors, 1: warnings too (default), 2: everything'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --verbosity= -d '0: errors, 1: warnings too (default), 2: everything'
complete -c s6-ucspitlsc -n 'test -z "$(__s6-ucspitlsc_rest)"' -s 6 -x -d 'read the network there (default: 6)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --read-fd= -d 'read the network there (default: 6)'
complete -c s6-ucspitlsc -n 'test -z "$(__s6-ucspitlsc_rest)"' -s 7 -x -d 'write the network there (default: 7)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --write-fd= -d 'write the network there (default: 7)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s S -l close-notify -d 'end our direction with a close_notify alert'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s s -l no-close-notify -d 'close the TCP direction without an alert (default)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s J -l enforce-close-notify -d 'an end without close_notify from the peer is an error'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s j -l no-enforce-close-notify -d 'an end without close_notify is not an error (default)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s y -l client-cert -d 'offer our certificate if the server asks'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s Y -l no-client-cert -d 'do not offer our certificate (default)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l no-verify-cert -d 'accept any certificate'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l verify-cert -d 'verify the server\'s certificate (default)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l webpki-roots -d 'trust Mozilla\'s roots as compiled in'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --pin= -d 'accept only the certificate or key of this hash; repeatable'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --crl-check= -d 'how far CRLFILE is asked (default: chain)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s Z -l keep -d 'leave the engine\'s variables to the program'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -s z -l no-keep -d 'remove the engine\'s variables (default)'
complete -c s6-ucspitlsc -n 'test -z "$(__s6-ucspitlsc_rest)"' -s K -x -d 'limit of the whole handshake (default: none)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --handshake-timeout= -d 'limit of the whole handshake (default: none)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --idle-timeout= -d 'end after so long without cleartext (default: never)'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l peer-info -d 'tell the program more about the peer'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l no-sandbox -d 'do not lock the engine in; for debugging'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --alpn= -d 'application protocols to agree on, the best first'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -l key-guard -d 'keep the private key in a process that never hears the network'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --groups= -d 'key exchange groups (default: X25519MLKEM768 first)'
complete -c s6-ucspitlsc -n 'test -z "$(__s6-ucspitlsc_rest)"' -s k -x -d 'name to send (SNI) and to check in the certificate'
complete -c s6-ucspitlsc -n __s6-ucspitlsc_options -a --servername= -d 'name to send (SNI) and to check in the certificate'

function __s6-ucspitlsc_command
    set -l words (__s6-ucspitlsc_rest); or return
    test (count $words) -ge 0; or return
    complete -C (string join ' ' -- (string escape -- $words[1..]) (commandline -ct))
end
complete -c s6-ucspitlsc -xa '(__s6-ucspitlsc_command)'
