# shellcheck shell=sh
# A TLS service and its client on this machine, from nothing to the end.
# Usage: sh tests/demo.sh DIRECTORY-OF-THE-PROGRAMS
set -eu
bin=$1
PATH=$bin:$PATH
export PATH
dir=$(mktemp -d)
server=
trap 'code=$?; [ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$dir"; exit $code' EXIT
trap 'exit 1' HUP INT TERM

echo "== A certificate for localhost, thrown away at the end: $dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
  -subj "/O=s6-tls demo/CN=localhost" -addext "subjectAltName=DNS:localhost" \
  -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/log" || { cat "$dir/log"; exit 1; }

cat >"$dir/program" <<'P'
#!/bin/sh
# A program that knows no TLS: it reads from 0 and writes to 1.
read -r line
echo "the server's program read: $line"
env | grep -E '^(SSL_(PROTOCOL|CIPHER|TLS)|TCPREMOTE|KEYFILE)' | sort
P
cat >"$dir/client" <<'P'
#!/bin/sh
# Another one: it reads from 6 and writes to 7.
echo "hello from the client" >&7
exec 7>&-
cat <&6
echo "-- the client's program knows:"
env | grep -E '^(SSL_(PROTOCOL|CIPHER|TLS|PEER))' | sort
P
chmod +x "$dir/program" "$dir/client"

echo "== The service, on a port that the kernel chooses"
mkfifo "$dir/port"
KEYFILE=$dir/key.pem CERTFILE=$dir/cert.pem \
  s6-tlsserver -1 -S -H 127.0.0.1 0 "$dir/program" >"$dir/port" &
server=$!
read -r port <"$dir/port"
echo "s6-tlsserver serves on 127.0.0.1 port $port"

echo "== A client that verifies the certificate"
CAFILE=$dir/cert.pem s6-tlsclient -S -H -k localhost 127.0.0.1 "$port" "$dir/client"

cat <<E2

== For a service of your own (as root the engine can be given a user of its
   own with TLS_UID and TLS_GID, the program one with -u, -g and -G):
KEYFILE=/etc/ssl/private/key.pem CERTFILE=/etc/ssl/cert.pem \\
  s6-tlsserver -S -H 0.0.0.0 443 your-program
== And for a client:
CADIR=/etc/ssl/certs s6-tlsclient -S host.example.org 443 your-client
E2
