/* A TLS 1.2 client with buffers for records of 512 bytes, as embedded devices have them. Its
   argument is the server's public key: the modulus of 2048 bits in hex. The network is on
   descriptors 6 and 7. It prints what the server sends, and then BearSSL's error. */
#include <bearssl.h>
#include <stdio.h>
#include <unistd.h>

enum { PLAINTEXT = 512, MODULUS = 256 };

static int receive(void *context, unsigned char *bytes, size_t count)
{
  (void)context;
  ssize_t received = read(6, bytes, count);
  return received > 0 ? (int)received : -1;
}

static int transmit(void *context, const unsigned char *bytes, size_t count)
{
  (void)context;
  ssize_t sent = write(7, bytes, count);
  return sent > 0 ? (int)sent : -1;
}

int main(int argc, char **argv)
{
  static unsigned char modulus[MODULUS], exponent[] = { 1, 0, 1 };
  static unsigned char input[PLAINTEXT + 325], output[PLAINTEXT + 85];
  static br_ssl_client_context client;
  static br_x509_minimal_context unused;
  static br_x509_knownkey_context known;
  static br_sslio_context io;
  unsigned char byte;
  int error;

  for (int i = 0; i < MODULUS; i++)
    if (argc != 2 || sscanf(argv[1] + 2 * i, "%2hhx", &modulus[i]) != 1) return 100;
  br_rsa_public_key key = { modulus, sizeof modulus, exponent, sizeof exponent };
  br_ssl_client_init_full(&client, &unused, 0, 0);
  br_x509_knownkey_init_rsa(&known, &key, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
  br_ssl_engine_set_x509(&client.eng, &known.vtable);
  br_ssl_engine_set_buffers_bidi(&client.eng, input, sizeof input, output, sizeof output);
  br_ssl_client_reset(&client, "localhost", 0);
  br_sslio_init(&io, &client.eng, receive, 0, transmit, 0);
  while (br_sslio_read(&io, &byte, 1) == 1) putchar(byte);
  error = br_ssl_engine_last_error(&client.eng);
  fprintf(stderr, "error %d\n", error);
  return error != BR_ERR_OK;
}
