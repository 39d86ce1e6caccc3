# Makes every key and certificate of the tests in the current directory.
# Names: X.key, X.pem, X.der; X-chain.pem is the certificate and its issuers.
set -eu
log=$(mktemp)
exec 2>"$log"
trap 'code=$?; [ $code = 0 ] || cat "$log"; rm -f "$log"; exit $code' EXIT

ec() { openssl ecparam -name "$2" -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"; }

# sign NAME ISSUER SUBJECT EXTENSIONS: NAME.key exists.
sign() {
  printf '%b\n' "$4" >"$1.ext"
  openssl req -new -key "$1.key" -subj "$3" -utf8 -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 3650 -sha256 -extfile "$1.ext" -out "$1.pem"
}

# dated NAME ISSUER SUBJECT EXTENSIONS START END: the same with dates.
dated() {
  printf '%b\n' "$4" >"$1.ext"
  : >"$1.index"
  cat >"$1.cnf" <<CNF
[ca]
default_ca = own
[own]
database = $1.index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
CNF
  openssl req -new -key "$1.key" -subj "$3" -out "$1.csr"
  openssl ca -batch -notext -config "$1.cnf" -cert "$2.pem" -keyfile "$2.key" -startdate "$5" -enddate "$6" \
    -extfile "$1.ext" -in "$1.csr" -out "$1.pem"
}

# own NAME SUBJECT EXTENSIONS: signs itself.
own() {
  printf '%b\n' "[req]\ndistinguished_name=dn\n[dn]\n[ext]\n$3" >"$1.cnf"
  openssl req -x509 -new -config "$1.cnf" -extensions ext -key "$1.key" -subj "$2" -days 3650 -sha256 -out "$1.pem"
}

ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
leaf='basicConstraints=CA:FALSE\nkeyUsage=digitalSignature'
here="$leaf\nsubjectAltName=DNS:localhost,IP:127.0.0.1"

ec ca prime256v1; own ca '/O=s6-tls tests/CN=Root' "$ca"
ec other prime256v1; own other '/O=s6-tls tests/CN=Other root' "$ca"
openssl genpkey -algorithm ed25519 -out edca.key; own edca '/O=s6-tls tests/CN=Ed25519 root' "$ca"
ec inter prime256v1; sign inter ca '/O=s6-tls tests/CN=Intermediate' "$ca"
ec odd secp521r1; own odd '/O=s6-tls tests/CN=P-521 root' "$ca"
cat odd.pem ca.pem other.pem >both.pem

ec p256 prime256v1; sign p256 ca '/C=FR/O=Example/CN=localhost' "$here"
ec p384 secp384r1; sign p384 ca '/CN=localhost' "$here"
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.key
sign rsa ca '/CN=localhost' "$here\nextendedKeyUsage=serverAuth"
openssl genpkey -algorithm ed25519 -out ed25519.key; sign ed25519 ca '/CN=localhost' "$here"
ec leaf prime256v1; sign leaf inter '/CN=localhost' "$here"
cat leaf.pem inter.pem >leaf-chain.pem
cat leaf.pem inter.pem ca.pem >leaf-long.pem

# One key is enough for those whose names and dates matter.
for name in expired future wrong wild cnonly cnother selfca selfleaf noca pinned clientonly wide; do cp p256.key $name.key; done
dated expired ca '/CN=localhost' "$here" 20200101000000Z 20210101000000Z
dated future ca '/CN=localhost' "$here" 20900101000000Z 20910101000000Z
sign wrong ca '/CN=localhost' "$leaf\nsubjectAltName=DNS:other.test"
sign wild ca '/CN=wild' "$leaf\nsubjectAltName=DNS:*.example.test"
sign cnonly ca '/CN=localhost' "$leaf"
sign cnother ca '/CN=other.test' "$leaf"
own selfca '/CN=localhost' "$ca\nsubjectAltName=DNS:localhost"
own selfleaf '/CN=localhost' "$here"
sign noca leaf '/CN=localhost' "$here"
cat noca.pem leaf.pem inter.pem >noca-chain.pem
sign pinned selfleaf '/CN=localhost' "$here"
cat pinned.pem selfleaf.pem >pinned-chain.pem
sign clientonly ca '/CN=localhost' "$here\nextendedKeyUsage=clientAuth"
# Its DER alone is larger than the record of a small buffer.
names=$(for i in $(seq 400); do printf ',DNS:a-rather-long-name-number-%d.example.test' "$i"; done)
sign wide ca '/CN=wide' "$leaf\nsubjectAltName=DNS:localhost$names"

ec ed prime256v1; sign ed edca '/CN=localhost' "$here"
cat edca.pem ca.pem >with-edca.pem

# What an issuer's keyUsage and its name constraints allow.
ec nosign prime256v1; own nosign '/O=s6-tls tests/CN=Root' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'
ec nosigninter prime256v1
sign nosigninter ca '/CN=Crippled' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature'
ec limited prime256v1; own limited '/CN=Limited' "$ca\nnameConstraints=critical,permitted;DNS:good.example"
ec limitedinter prime256v1; sign limitedinter ca '/CN=Limited' "$ca\nnameConstraints=critical,excluded;DNS:bad.example"
ec addresses prime256v1; own addresses '/CN=Addresses' "$ca\nnameConstraints=critical,permitted;IP:127.0.0.0/255.0.0.0"
for name in nosignleaf nosigndeep agree limitedcn limitedsan limitedout limiteddeep addressescn; do cp p256.key $name.key; done
sign nosignleaf nosign '/CN=localhost' "$here"
sign nosigndeep nosigninter '/CN=localhost' "$here"
cat nosigndeep.pem nosigninter.pem >nosigndeep-chain.pem
sign agree ca '/CN=localhost' 'keyUsage=keyAgreement\nsubjectAltName=DNS:localhost'
sign limitedcn limited '/CN=www.bank.example' "$leaf"
sign limitedsan limited '/CN=x' "$leaf\nsubjectAltName=DNS:www.good.example"
sign limitedout limited '/CN=x' "$leaf\nsubjectAltName=DNS:www.bank.example"
sign limiteddeep limitedinter '/CN=www.bank.example' "$leaf"
cat limiteddeep.pem limitedinter.pem >limiteddeep-chain.pem
cat limitedout.pem limited.pem >limitedout-chain.pem
# An issuer that allows no intermediate.
ec nosub prime256v1
sign nosub ca '/CN=No intermediate' 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign'
ec sub prime256v1; sign sub nosub '/CN=Intermediate of none' "$ca"
for name in subleaf nosubleaf; do cp p256.key $name.key; done
sign subleaf sub '/CN=localhost' "$here"; cat subleaf.pem sub.pem nosub.pem >subleaf-chain.pem
sign nosubleaf nosub '/CN=localhost' "$here"; cat nosubleaf.pem nosub.pem >nosubleaf-chain.pem
sign addressescn addresses '/CN=localhost' "$leaf"
# More intermediates than anybody needs.
issuer=ca
for i in 1 2 3 4 5 6 7 8; do
  cp p256.key deep$i.key; sign deep$i $issuer "/CN=Deep $i" "$ca"
  issuer=deep$i
done
cp p256.key long.key; sign long deep8 '/CN=localhost' "$here"
cat long.pem deep8.pem deep7.pem deep6.pem deep5.pem deep4.pem deep3.pem deep2.pem deep1.pem >long-chain.pem
# RSA keys that are too short to be verified with.
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out short.key; own short '/CN=Short' "$ca"
cp p256.key shortleaf.key; sign shortleaf short '/CN=localhost' "$here"
cp short.key shortown.key; sign shortown ca '/CN=localhost' "$here"
cp short.key shortclient.key; sign shortclient ca '/CN=client' "$leaf"
# By a key on a curve that we cannot verify signatures with.
cp p256.key oddleaf.key; sign oddleaf odd '/CN=localhost' "$here"

ec client prime256v1
sign client ca '/CN=client, with comma/OU=Unit/O=Client Org/C=DE/L=Köln/emailAddress=x@y.test' "$leaf"
for name in client-expired client-other client-inter client-server; do cp client.key $name.key; done
dated client-expired ca '/CN=client' "$leaf" 20200101000000Z 20210101000000Z
sign client-other other '/CN=stranger' "$leaf"
sign client-inter inter '/CN=deep client' "$leaf"
cat client-inter.pem inter.pem >client-inter-chain.pem
cp client.key client-own.key; own client-own '/CN=client' "$leaf"
cp client.key client-pinned.key; sign client-pinned client-own '/CN=client' "$leaf"
cat client-pinned.pem client-own.pem >client-pinned-chain.pem
# Everything that --peer-info has a variable for.
cp client.key client-rich.key
sign client-rich inter '/C=DE/ST=NRW/L=Köln/O=Client Org/OU=One/OU=Two/UID=u1/CN=rich+serialNumber=77/emailAddress=x@y.test' \
  "$leaf\nsubjectAltName=DNS:a.test,email:c@d.test,DNS:b.test,URI:urn:x:y,IP:192.0.2.1,IP:2001:db8:0:0:0:0:0:1"
cat client-rich.pem inter.pem >client-rich-chain.pem
cp client.key client-agree.key; sign client-agree ca '/CN=client' 'keyUsage=keyAgreement'
cp client.key client-nosign.key; sign client-nosign nosigninter '/CN=client' "$leaf"
cat client-nosign.pem nosigninter.pem >client-nosign-chain.pem
sign client-server ca '/CN=client' "$leaf\nextendedKeyUsage=serverAuth"

for name in ca p256 p384 rsa ed25519; do
  openssl x509 -in $name.pem -outform DER -out $name.der
  openssl pkcs8 -topk8 -nocrypt -in $name.key -outform DER -out $name.pkcs8.der
done
for name in p256 p384; do
  curve=prime256v1; [ $name = p256 ] || curve=secp384r1
  openssl ec -in $name.key -out $name.sec1
  openssl ec -in $name.key -outform DER -out $name.sec1.der
  { openssl ecparam -name $curve; cat $name.sec1; } >$name.params
done
openssl rsa -in rsa.key -traditional -out rsa.pkcs1
# EC keys without their public key, SEC1 and PKCS#8.
for name in p256 p384; do
  openssl ec -in $name.key -no_public -out $name.bare.sec1
  openssl ec -in $name.key -no_public -outform DER -out $name.bare.sec1.der
  openssl pkcs8 -topk8 -nocrypt -in $name.bare.sec1 -out $name.bare.key
done
# The public key as x alone, or the curve as its numbers instead of its name.
for form in '-conv_form compressed' '-param_enc explicit'; do
  name=p256.${form#* }
  openssl ec -in p256.key $form -out $name.sec1
  openssl pkcs8 -topk8 -nocrypt -in $name.sec1 -out $name.key
done
# Labels that do not say what is inside.
relabel() { sed "s/$1 KEY/$2 KEY/" "$3" >"$4"; }
relabel 'PRIVATE' 'RSA PRIVATE' rsa.key rsa.pkcs8.sec1
relabel 'RSA PRIVATE' 'PRIVATE' rsa.pkcs1 rsa.pkcs1.sec1
relabel 'EC PRIVATE' 'PRIVATE' p256.sec1 p256.relabelled.sec1
relabel 'EC PRIVATE' 'RSA PRIVATE' p384.sec1 p384.relabelled.sec1
relabel 'PRIVATE' 'EC PRIVATE' ed25519.key ed25519.relabelled.sec1
# RSA keys of other sizes, and with a small exponent.
for bits in 2560 3072 4096; do
  openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:$bits -out rsa$bits.key
  sign rsa$bits ca '/CN=localhost' "$here"
done
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out rsae3.key
sign rsae3 ca '/CN=localhost' "$here"
# With a large exponent, and with three primes.
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:8589934593 -out rsalarge.key
openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 -out rsa3primes.key
for name in rsalarge rsa3primes; do sign $name ca '/CN=localhost' "$here"; done
cp rsalarge.key clientlarge.key; sign clientlarge ca '/CN=client' "$leaf"
cp rsalarge.key largeca.key; own largeca '/CN=Large exponent' "$ca"
cp p256.key largeca-leaf.key; sign largeca-leaf largeca '/CN=localhost' "$here"
# Kinds of keys that cannot be used, or not by everybody: on other curves, on curves that are written out
# instead of named, and for RSASSA-PSS only: with any hash, with SHA-256, also with a shorter salt, and with a mask that TLS does not have.
for curve in secp256k1 secp521r1; do
  ec $curve $curve; sign $curve ca '/CN=localhost' "$here"
done
for curve in prime256v1 secp384r1 secp521r1 brainpoolP256r1; do
  openssl ecparam -name $curve -param_enc explicit -genkey -noout -out explicit-$curve.key
  sign explicit-$curve ca '/CN=localhost' "$here"
done
pss() { # NAME OPTIONS
  name=$1; shift
  openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 "$@" -out $name.key
  sign $name ca '/CN=localhost' "$here"
}
pss pss
sha256='-pkeyopt rsa_pss_keygen_md:sha256'
pss pss256 $sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32
pss psssalt $sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256
pss pssmask $sha256
pssopen() { # NAME OPEN: the certificate of NAME, and its key without the parameters
  rsa=$(openssl rsa -in $1.key -traditional -outform DER | od -An -v -tx1 | tr -d ' \n')
  printf '%s\n' 'asn1 = SEQUENCE:info' '[info]' 'version = INTEGER:0' 'algorithm = SEQUENCE:algorithm' \
    "key = FORMAT:HEX,OCTETSTRING:$rsa" '[algorithm]' 'kind = OID:rsassaPss' >$2.cnf
  openssl asn1parse -genconf $2.cnf -noout -out $2.der
  openssl pkey -inform DER -in $2.der -out $2.key; cp $1.pem $2.pem
}
pssopen pss256 pssopen
pssopen pssmask pssmaskopen
cp pss256.key clientpss.key; sign clientpss ca '/CN=client' "$leaf"
cp pss.key pssca.key; own pssca '/CN=PSS root' "$ca"
cp pss.key pssinter.key; sign pssinter ca '/CN=PSS intermediate' "$ca"
for issuer in pssca pssinter; do
  cp p256.key $issuer-leaf.key; sign $issuer-leaf $issuer '/CN=localhost' "$here"
done
cat pssinter-leaf.pem pssinter.pem >pssinter-leaf-chain.pem
# Devices without a clock.
cp p256.key prehistoric.key; dated prehistoric ca '/CN=localhost' "$here" 19500101000000Z 20910101000000Z
# What webpki does not read: an extension that nobody knows, and version 1.
cp p256.key unknown.key; sign unknown ca '/CN=localhost' "$here\n1.2.3.4=critical,DER:0500"
cp p256.key selfodd.key; own selfodd '/CN=other.test' "$here\n1.2.3.4=critical,DER:0500"
cp p256.key version1.key
openssl req -new -key version1.key -subj /CN=localhost -out version1.csr
openssl x509 -req -in version1.csr -CA ca.pem -CAkey ca.key -days 3650 -out version1.pem
openssl rsa -in rsa.key -traditional -outform DER -out rsa.pkcs1.der
openssl pkcs8 -topk8 -in p256.key -passout pass:secret -out p256.encrypted
openssl pkcs8 -topk8 -in p256.key -passout pass:secret -outform DER -out p256.encrypted.der
openssl rsa -in rsa.key -traditional -aes128 -passout pass:secret -out rsa.encrypted
# crl NAME ISSUER MONTH REVOKED...: a revocation list of 2020, or one of another time (THIS), or one
# of VERSION 1, or one that is past its next update (NEXT), or one that says otherwise by which key it
# is signed (ISSUER).
crl() {
  name=$1; issuer=$2; month=$3; shift 3
  : >"$name.index"; echo 01 >"$name.index.number"
  extensions='crlnumber = '$name.index.number'\ncrl_extensions = own_crl'
  [ "${VERSION-2}" = 2 ] || extensions=
  printf '%b\n' "[ca]\ndefault_ca = own\n[own]\ndatabase = $name.index\ndefault_md = sha256\n$extensions
    [own_crl]\n${ISSUER-authorityKeyIdentifier = keyid}" >"$name.cnf"
  for revoked; do
    openssl ca -config "$name.cnf" -cert "$issuer.pem" -keyfile "$issuer.key" -revoke "$revoked.pem"
  done
  openssl ca -config "$name.cnf" -cert "$issuer.pem" -keyfile "$issuer.key" -gencrl \
    -crl_lastupdate "${THIS-20${month}01000000Z}" -crl_nextupdate "${NEXT-20900101000000Z}" -out "$name.crl"
}
crl ca-none ca 01; crl ca-later ca 02 p256 client; crl ca-inter ca 01 inter
crl inter-none inter 01; crl inter-leaf inter 01 leaf client-inter
NEXT=20210101000000Z crl ca-old ca 01
THIS=20850101000000Z crl ca-future ca 01
VERSION=1 crl ca-version1 ca 01
ec twin prime256v1; own twin '/O=s6-tls tests/CN=Root' "$ca"; crl twin-none twin 03
# The root has a new key under its old name: for each key lists and certificates.
cp p256.key twinleaf.key; sign twinleaf twin '/CN=localhost' "$here"
cp client.key client-twin.key; sign client-twin twin '/CN=client' "$leaf"
crl twin-later twin 04 twinleaf client-twin
ISSUER= crl ca-later-bare ca 02 p256 client
for name in ca twin; do ISSUER= crl $name-none-bare $name 05; done
ISSUER= crl twin-later-bare twin 01 twinleaf client-twin
# The old key has signed a certificate of the new one.
cp twin.key cross.key; sign cross ca '/O=s6-tls tests/CN=Root' "$ca"; crl ca-cross ca 02 cross
for name in twinleaf client-twin; do cat $name.pem cross.pem >$name-chain.pem; done
ec nocrl prime256v1; sign nocrl ca '/CN=No lists' 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
crl nocrl-none nocrl 01
cp client.key client-nocrl.key; sign client-nocrl nocrl '/CN=client' "$leaf"
cat client-nocrl.pem nocrl.pem >client-nocrl-chain.pem
for name in ca-none inter-none; do openssl crl -in $name.crl -outform DER -out $name.crl.der; done
# What an OCSP responder says of two servers.
for name in p256 rsa; do
  serial=$(openssl x509 -noout -serial -in $name.pem | cut -d= -f2)
  printf 'V\t350101000000Z\t\t%s\tunknown\t/CN=localhost\n' "$serial" >$name.index
  openssl ocsp -issuer ca.pem -cert $name.pem -no_nonce -reqout $name.index.request
  openssl ocsp -index $name.index -rsigner ca.pem -rkey ca.key -CA ca.pem -ndays 3650 \
    -reqin $name.index.request -respout $name.ocsp
done
rm -f ./*.csr ./*.ext ./*.cnf ./*.index* ./[0-9A-F]*.pem
chmod 644 ./*
# A key that everybody may read is warned of.
chmod 600 ./*.key ./*.pkcs8.der ./*.sec1* ./*.params ./*.pkcs1* ./*.encrypted*
