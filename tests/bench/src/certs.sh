# Makes the keys and certificates of the benchmark in the current directory:
# X.key, X.pem, each signed by ca.pem.
set -eu
log=$(mktemp)
exec 2>"$log"
trap 'code=$?; [ $code = 0 ] || cat "$log"; rm -f "$log"; exit $code' EXIT

cat >ca.cnf <<'CNF'
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
subjectAltName = DNS:localhost
CNF

key() { name=$1; shift; openssl genpkey "$@" -out "$name.key"; }
sign() {
  openssl req -new -key "$1.key" -config ca.cnf -subj '/CN=localhost' -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "$2" -days 30 -sha256 \
    -extfile ca.cnf -extensions leaf -out "$1.pem"
}

key ca -algorithm EC -pkeyopt ec_paramgen_curve:P-256
openssl req -x509 -new -key ca.key -config ca.cnf -extensions ca -subj '/CN=s6-tls benchmark' -days 30 -sha256 -out ca.pem
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key ed25519 -algorithm ED25519
key client -algorithm EC -pkeyopt ec_paramgen_curve:P-256
sign p256 1
sign rsa 2
sign ed25519 3
sign client 4
for name in p256 rsa ed25519; do cat "$name.key" "$name.pem" >"$name.both"; done
