/* mbed TLS peer (2.28 and 3.6). build: cc -o mbed_peer mbed_peer.c -lmbedtls -lmbedx509 -lmbedcrypto
 * client: mbed_peer c PORT 12|13|any ca.crt [chain.pem key]
 * server: mbed_peer s PORT 12|13|any chain.pem key [ca.crt: require a client certificate]
 * Port 0 is any; the server says which. Either role echoes until close_notify. env GROUPS=29,23: code points, 3.6 only;
 * RESUME=n: the client connects n times more */
#include <arpa/inet.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
static int die(const char *w, int r) {
  char b[200];
  mbedtls_strerror(r, b, 200);
  printf("FAIL %s -0x%04x %s\n", w, -r, b);
  return 1;
}
static mbedtls_ssl_session session;
static int has_session;
/* What comes goes back, until close_notify. */
static int echo(mbedtls_ssl_context *s) {
  static unsigned char buf[16384];
  int n, r, done;
  for (;;) {
    n = mbedtls_ssl_read(s, buf, sizeof buf);
    if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE)
      continue;
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      mbedtls_ssl_session_free(&session);
      has_session = !mbedtls_ssl_get_session(s, &session);
      continue;
    }
#endif
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
      break;
    if (n <= 0)
      return die("read", n);
    for (done = 0; done < n; done += r)
      if ((r = mbedtls_ssl_write(s, buf + done, n - done)) < 0)
        return die("write", r);
  }
  puts("CLOSED");
  mbedtls_ssl_close_notify(s);
  return 0;
}
int main(int c, char **v) {
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, 0, _IOLBF, 0);
  if (c == 2 && !strcmp(v[1], "version")) {
    puts(MBEDTLS_VERSION_STRING_FULL);
    return 0;
  }
  if (c < 5) {
    puts("usage");
    return 2;
  }
  int srv = v[1][0] == 's', r;
  mbedtls_entropy_context e;
  mbedtls_ctr_drbg_context g;
  mbedtls_ssl_config k;
  mbedtls_ssl_context s;
  mbedtls_x509_crt ca, own;
  mbedtls_pk_context pk;
  mbedtls_net_context l, f;
  mbedtls_entropy_init(&e);
  mbedtls_ctr_drbg_init(&g);
  mbedtls_ssl_config_init(&k);
  mbedtls_ssl_init(&s);
  mbedtls_x509_crt_init(&ca);
  mbedtls_x509_crt_init(&own);
  mbedtls_pk_init(&pk);
  mbedtls_net_init(&l);
  mbedtls_net_init(&f);
  if ((r = mbedtls_ctr_drbg_seed(&g, mbedtls_entropy_func, &e, 0, 0)))
    return die("seed", r);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  psa_crypto_init();
#endif
  if ((r = mbedtls_ssl_config_defaults(&k, srv ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT)))
    return die("conf", r);
  mbedtls_ssl_conf_rng(&k, mbedtls_ctr_drbg_random, &g);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  if (!strcmp(v[3], "12"))
    mbedtls_ssl_conf_max_tls_version(&k, MBEDTLS_SSL_VERSION_TLS1_2);
  if (!strcmp(v[3], "13"))
    mbedtls_ssl_conf_min_tls_version(&k, MBEDTLS_SSL_VERSION_TLS1_3);
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  static uint16_t groups[16];
  int i = 0;
  for (char *g = getenv("GROUPS"); g && *g && i < 15; g = strchr(g, ',') ? strchr(g, ',') + 1 : "")
    groups[i++] = atoi(g);
  if (i)
    mbedtls_ssl_conf_groups(&k, groups);
#endif
  static const char *alpn[] = {"http/1.1", 0};
  mbedtls_ssl_conf_alpn_protocols(&k, alpn);
  char *cert = srv ? v[4] : c > 6 ? v[5] : 0, *key = srv ? v[5] : c > 6 ? v[6] : 0, *anchor = srv ? (c > 6 ? v[6] : 0) : v[4];
  if (cert) {
    if ((r = mbedtls_x509_crt_parse_file(&own, cert)))
      return die("crt", r);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    r = mbedtls_pk_parse_keyfile(&pk, key, 0, mbedtls_ctr_drbg_random, &g);
#else
    r = mbedtls_pk_parse_keyfile(&pk, key, 0);
#endif
    if (r)
      return die("key", r);
    if ((r = mbedtls_ssl_conf_own_cert(&k, &own, &pk)))
      return die("own", r);
  }
  if (anchor) {
    if ((r = mbedtls_x509_crt_parse_file(&ca, anchor)))
      return die("ca", r);
    mbedtls_ssl_conf_ca_chain(&k, &ca, 0);
    mbedtls_ssl_conf_authmode(&k, MBEDTLS_SSL_VERIFY_REQUIRED);
  }
  if (srv) {
    static mbedtls_ssl_cache_context cc;
    mbedtls_ssl_cache_init(&cc);
    mbedtls_ssl_conf_session_cache(&k, &cc, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    static mbedtls_ssl_ticket_context tc;
    mbedtls_ssl_ticket_init(&tc);
    if (!mbedtls_ssl_ticket_setup(&tc, mbedtls_ctr_drbg_random, &g, MBEDTLS_CIPHER_AES_256_GCM, 86400))
      mbedtls_ssl_conf_session_tickets_cb(&k, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tc);
    if ((r = mbedtls_net_bind(&l, "127.0.0.1", v[2], MBEDTLS_NET_PROTO_TCP)))
      return die("bind", r);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    getsockname(l.fd, (void *)&at, &len);
    printf("LISTENING %d\n", ntohs(at.sin_port));
    if ((r = mbedtls_ssl_setup(&s, &k)))
      return die("setup", r);
    for (;;) {
      mbedtls_net_free(&f);
      mbedtls_ssl_session_reset(&s);
      if (mbedtls_net_accept(&l, &f, 0, 0, 0))
        continue;
      mbedtls_ssl_set_bio(&s, &f, mbedtls_net_send, mbedtls_net_recv, 0);
      while ((r = mbedtls_ssl_handshake(&s)) == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
        ;
      if (r) {
        die("handshake", r);
        continue;
      }
      printf("OK %s %s alpn=%s\n", mbedtls_ssl_get_version(&s), mbedtls_ssl_get_ciphersuite(&s),
         mbedtls_ssl_get_alpn_protocol(&s) ? mbedtls_ssl_get_alpn_protocol(&s) : "");
      echo(&s);
    }
  }
#if MBEDTLS_VERSION_NUMBER >= 0x03060100
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&k, 1);
#endif
  if ((r = mbedtls_ssl_setup(&s, &k)))
    return die("setup", r);
  mbedtls_ssl_set_hostname(&s, "localhost");
  for (int more = getenv("RESUME") ? atoi(getenv("RESUME")) : 0; more >= 0; more--) {
    mbedtls_net_free(&f);
    mbedtls_ssl_session_reset(&s);
    if (has_session && (r = mbedtls_ssl_set_session(&s, &session)))
      return die("session", r);
    if ((r = mbedtls_net_connect(&f, "127.0.0.1", v[2], MBEDTLS_NET_PROTO_TCP)))
      return die("connect", r);
    mbedtls_ssl_set_bio(&s, &f, mbedtls_net_send, mbedtls_net_recv, 0);
    while ((r = mbedtls_ssl_handshake(&s)) == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
      ;
    if (r)
      return die("handshake", r);
    printf("OK %s %s alpn=%s\n", mbedtls_ssl_get_version(&s), mbedtls_ssl_get_ciphersuite(&s),
           mbedtls_ssl_get_alpn_protocol(&s) ? mbedtls_ssl_get_alpn_protocol(&s) : "");
    if ((r = echo(&s)))
      return r;
  }
  return 0;
}
