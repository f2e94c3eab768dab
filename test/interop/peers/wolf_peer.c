/* wolfSSL peer. build: cc -o wolf_peer wolf_peer.c -lwolfssl
 * client: wolf_peer c PORT 12|13|any ca.crt [chain.pem key]
 * server: wolf_peer s PORT 12|13|any chain.pem key [ca.crt: require a client certificate]
 * Port 0 is any; the server says which. Either role echoes until close_notify. env GROUPS=29,23: code points;
 * RESUME=n: the client connects n times more */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
static int die(const char *w, WOLFSSL *s, int r) {
  char b[128];
  int e = s ? wolfSSL_get_error(s, r) : r;
  wolfSSL_ERR_error_string(e, b);
  printf("FAIL %s %d %s\n", w, e, b);
  return 1;
}
/* What comes goes back, until close_notify. */
static int echo(WOLFSSL *s) {
  static char buf[16384];
  int n, r;
  while ((n = wolfSSL_read(s, buf, sizeof buf)) > 0)
    if ((r = wolfSSL_write(s, buf, n)) != n)
      return die("write", s, r);
  if (wolfSSL_get_error(s, n) != WOLFSSL_ERROR_ZERO_RETURN)
    return die("read", s, n);
  puts("CLOSED");
  wolfSSL_shutdown(s);
  return 0;
}
static const char *alpn(WOLFSSL *s) {
  char *p = "";
  unsigned short n;
#ifdef HAVE_ALPN
  if (wolfSSL_ALPN_GetProtocol(s, &p, &n) != WOLFSSL_SUCCESS)
    p = "";
#endif
  return p;
}
int main(int c, char **v) {
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, 0, _IOLBF, 0);
  if (c == 2 && !strcmp(v[1], "version")) {
    puts(wolfSSL_lib_version());
    return 0;
  }
  if (c < 5) {
    puts("usage");
    return 2;
  }
  int port = atoi(v[2]), srv = v[1][0] == 's';
  wolfSSL_Init();
  WOLFSSL_METHOD *m;
  int any = !strcmp(v[3], "any");
  if (srv)
    m = any                   ? wolfSSLv23_server_method()
        : !strcmp(v[3], "13") ? wolfTLSv1_3_server_method()
                              : wolfTLSv1_2_server_method();
  else
    m = any                   ? wolfSSLv23_client_method()
        : !strcmp(v[3], "13") ? wolfTLSv1_3_client_method()
                              : wolfTLSv1_2_client_method();
  WOLFSSL_CTX *x = wolfSSL_CTX_new(m);
  if (!x)
    return die("ctx", 0, 0);
  int groups[16], i = 0;
  for (char *g = getenv("GROUPS"); g && *g && i < 15; g = strchr(g, ',') ? strchr(g, ',') + 1 : "")
    groups[i++] = atoi(g);
  if (i && wolfSSL_CTX_set_groups(x, groups, i) != WOLFSSL_SUCCESS)
    return die("groups", 0, 0);
  struct sockaddr_in a = {0};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = inet_addr("127.0.0.1");
  int r;
  if (srv) {
    if (wolfSSL_CTX_use_certificate_chain_file(x, v[4]) != 1)
      return die("cert", 0, 0);
    if (wolfSSL_CTX_use_PrivateKey_file(x, v[5], SSL_FILETYPE_PEM) != 1)
      return die("key", 0, 0);
    if (c > 6) {
      wolfSSL_CTX_load_verify_locations(x, v[6], 0);
      wolfSSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, 0);
    }
#ifdef WOLFSSL_EARLY_DATA
    wolfSSL_CTX_set_max_early_data(x, 4096);
#endif
    int l = socket(AF_INET, SOCK_STREAM, 0), o = 1;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &o, sizeof o);
    if (bind(l, (void *)&a, sizeof a) || listen(l, 16)) {
      perror("bind");
      return 1;
    }
    socklen_t len = sizeof a;
    getsockname(l, (void *)&a, &len);
    printf("LISTENING %d\n", ntohs(a.sin_port));
    for (;;) {
      int f = accept(l, 0, 0);
      if (f < 0)
        continue;
      WOLFSSL *s = wolfSSL_new(x);
      wolfSSL_set_fd(s, f);
#ifdef HAVE_ALPN
      wolfSSL_UseALPN(s, "http/1.1", 8, WOLFSSL_ALPN_CONTINUE_ON_MISMATCH);
#endif
      if ((r = wolfSSL_accept(s)) != 1) {
        die("accept", s, r);
      } else {
        printf("OK %s %s alpn=%s resumed=%d\n", wolfSSL_get_version(s), wolfSSL_get_cipher(s), alpn(s),
               wolfSSL_session_reused(s));
        echo(s);
      }
      wolfSSL_free(s);
      close(f);
    }
  }
  if (wolfSSL_CTX_load_verify_locations(x, v[4], 0) != 1)
    return die("ca", 0, 0);
  if (c > 6) {
    wolfSSL_CTX_use_certificate_chain_file(x, v[5]);
    wolfSSL_CTX_use_PrivateKey_file(x, v[6], SSL_FILETYPE_PEM);
  }
  WOLFSSL_SESSION *session = 0;
  for (int more = getenv("RESUME") ? atoi(getenv("RESUME")) : 0; more >= 0; more--) {
    int f = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(f, (void *)&a, sizeof a)) {
      perror("connect");
      return 1;
    }
    WOLFSSL *s = wolfSSL_new(x);
    wolfSSL_set_fd(s, f);
#ifdef HAVE_SNI
    wolfSSL_UseSNI(s, WOLFSSL_SNI_HOST_NAME, "localhost", 9);
#endif
#ifdef HAVE_ALPN
    wolfSSL_UseALPN(s, "http/1.1", 8, WOLFSSL_ALPN_CONTINUE_ON_MISMATCH);
#endif
    wolfSSL_check_domain_name(s, "localhost");
    if (session && wolfSSL_set_session(s, session) != 1)
      return die("session", s, 0);
    if ((r = wolfSSL_connect(s)) != 1)
      return die("connect", s, r);
    printf("OK %s %s alpn=%s resumed=%d\n", wolfSSL_get_version(s), wolfSSL_get_cipher(s), alpn(s),
           wolfSSL_session_reused(s));
    if (echo(s))
      return 1;
    session = wolfSSL_get1_session(s);
    wolfSSL_free(s);
    close(f);
  }
  return 0;
}
