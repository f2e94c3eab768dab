/* BearSSL (TLS 1.0-1.2) peer. build: cc -o bear_peer bear_peer.c -lbearssl
 * client: bear_peer c PORT ca-der ec|rsa   (trust anchor read from DER by x509 decoder)
 * server: bear_peer s PORT leaf.der ca.der rsakey.der */
#include <arpa/inet.h>
#include <bearssl.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static int rd(void *c, unsigned char *b, size_t n) {
  for (;;) {
    ssize_t r = read(*(int *)c, b, n);
    if (r <= 0) {
      if (r < 0 && errno == EINTR)
        continue;
      return -1;
    }
    return r;
  }
}
static int wr(void *c, const unsigned char *b, size_t n) {
  for (;;) {
    ssize_t r = write(*(int *)c, b, n);
    if (r <= 0) {
      if (r < 0 && errno == EINTR)
        continue;
      return -1;
    }
    return r;
  }
}
static unsigned char *slurp(const char *p, size_t *n) {
  FILE *f = fopen(p, "rb");
  if (!f) {
    perror(p);
    exit(1);
  }
  unsigned char *b = malloc(65536);
  *n = fread(b, 1, 65536, f);
  fclose(f);
  return b;
}
static unsigned char dn[1024];
static size_t dnl;
static void add(void *c, const void *b, size_t n) {
  memcpy(dn + dnl, b, n);
  dnl += n;
}
static unsigned char iob[BR_SSL_BUFSIZE_BIDI];
int main(int c, char **v) {
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, 0, _IOLBF, 0);
  if (c < 4) {
    puts("usage");
    return 2;
  }
  int port = atoi(v[2]);
  struct sockaddr_in a = {0};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = inet_addr("127.0.0.1");
  size_t n;
  br_sslio_context io;
  char buf[4096];
  int r, f;
  if (v[1][0] == 's') {
    br_x509_certificate ch[2];
    ch[0].data = slurp(v[3], &ch[0].data_len);
    ch[1].data = slurp(v[4], &ch[1].data_len);
    unsigned char *kd = slurp(v[5], &n);
    static br_skey_decoder_context kc;
    br_skey_decoder_init(&kc);
    br_skey_decoder_push(&kc, kd, n);
    if (br_skey_decoder_last_error(&kc)) {
      puts("FAIL key");
      return 1;
    }
    int l = socket(AF_INET, SOCK_STREAM, 0), o = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &o, sizeof o);
    if (bind(l, (void *)&a, sizeof a) || listen(l, 9)) {
      perror("bind");
      return 1;
    }
    puts("LISTENING");
    static br_ssl_server_context s;
    static br_ssl_session_cache_lru lru;
    static unsigned char st[8192];
    br_ssl_session_cache_lru_init(&lru, st, sizeof st);
    for (;;) {
      f = accept(l, 0, 0);
      if (f < 0)
        continue;
      if (br_skey_decoder_key_type(&kc) == BR_KEYTYPE_RSA)
        br_ssl_server_init_full_rsa(&s, ch, 2, br_skey_decoder_get_rsa(&kc));
      else
        br_ssl_server_init_full_ec(&s, ch, 2, BR_KEYTYPE_EC, br_skey_decoder_get_ec(&kc));
      br_ssl_server_set_cache(&s, &lru.vtable);
      br_ssl_engine_set_buffer(&s.eng, iob, sizeof iob, 1);
      br_ssl_server_reset(&s);
      br_sslio_init(&io, &s.eng, rd, &f, wr, &f);
      r = br_sslio_read(&io, buf, sizeof buf);
      if (r > 0) {
        br_ssl_session_parameters p;
        br_ssl_engine_get_session_parameters(&s.eng, &p);
        printf("OK %04x suite %04x sni=%s\n", p.version, p.cipher_suite, br_ssl_engine_get_server_name(&s.eng));
        const char *h = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        br_sslio_write_all(&io, h, strlen(h));
        br_sslio_flush(&io);
      } else
        printf("FAIL %d\n", br_ssl_engine_last_error(&s.eng));
      br_sslio_close(&io);
      close(f);
    }
  }
  unsigned char *cd = slurp(v[3], &n);
  static br_x509_decoder_context dc;
  br_x509_decoder_init(&dc, add, 0);
  br_x509_decoder_push(&dc, cd, n);
  br_x509_pkey *pk = br_x509_decoder_get_pkey(&dc);
  if (!pk) {
    printf("FAIL ca %d\n", br_x509_decoder_last_error(&dc));
    return 1;
  }
  br_x509_trust_anchor ta;
  memset(&ta, 0, sizeof ta);
  ta.dn.data = dn;
  ta.dn.len = dnl;
  ta.flags = BR_X509_TA_CA;
  ta.pkey = *pk;
  static br_ssl_client_context s;
  static br_x509_minimal_context xc;
  br_ssl_client_init_full(&s, &xc, &ta, 1);
  br_ssl_engine_set_buffer(&s.eng, iob, sizeof iob, 1);
  static const char *al[] = {"http/1.1"};
  br_ssl_engine_set_protocol_names(&s.eng, al, 1);
  br_ssl_client_reset(&s, "localhost", 0);
  f = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(f, (void *)&a, sizeof a)) {
    perror("connect");
    return 1;
  }
  br_sslio_init(&io, &s.eng, rd, &f, wr, &f);
  const char *q = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
  br_sslio_write_all(&io, q, strlen(q));
  br_sslio_flush(&io);
  r = br_sslio_read(&io, buf, sizeof buf - 1);
  if (r <= 0) {
    printf("FAIL %d\n", br_ssl_engine_last_error(&s.eng));
    return 1;
  }
  br_ssl_session_parameters p;
  br_ssl_engine_get_session_parameters(&s.eng, &p);
  buf[r] = 0;
  printf("OK %04x suite %04x %.*s\n", p.version, p.cipher_suite, (int)strcspn(buf, "\r\n"), buf);
  br_sslio_close(&io);
  return 0;
}
