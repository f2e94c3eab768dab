// JSSE and BouncyCastle peer. Port 0 is any; the server says which. Either role echoes until close_notify.
// -Dresume=n: the client connects n times more; a session that is resumed stays of the time `t` it began.
//   client: java JPeer c PORT TLSv1.3|TLSv1.2 ca.crt [chain.pem key]
//   server: java JPeer s PORT TLSv1.3,TLSv1.2 chain.pem key [ca.crt: require a client certificate]
// BouncyCastle: java -cp /usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:/usr/share/java/bctls.jar:. -Dbc=1 JPeer
// Groups: -Djdk.tls.namedGroups=secp384r1
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.*;
import java.util.*;
import javax.net.ssl.*;
public class JPeer {
  static KeyManager[] own(String chain, String key, String prov) throws Exception {
    Collection<? extends Certificate> certs;
    try (InputStream in = new FileInputStream(chain)) {
      certs = CertificateFactory.getInstance("X.509").generateCertificates(in);
    }
    Certificate[] path = certs.toArray(new Certificate[0]);
    String pem = new String(Files.readAllBytes(Paths.get(key))).replaceAll("-----[A-Z ]+-----|\\s", "");
    PrivateKey priv = KeyFactory.getInstance(path[0].getPublicKey().getAlgorithm())
                          .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    KeyStore k = KeyStore.getInstance("PKCS12");
    k.load(null, null);
    k.setKeyEntry("own", priv, "changeit".toCharArray(), path);
    KeyManagerFactory f =
        prov != null ? KeyManagerFactory.getInstance("PKIX", prov) : KeyManagerFactory.getInstance("PKIX");
    f.init(k, "changeit".toCharArray());
    return f.getKeyManagers();
  }
  static TrustManager[] anchors(String ca, String prov) throws Exception {
    KeyStore k = KeyStore.getInstance("PKCS12");
    k.load(null, null);
    try (InputStream in = new FileInputStream(ca)) {
      k.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory f =
        prov != null ? TrustManagerFactory.getInstance("PKIX", prov) : TrustManagerFactory.getInstance("PKIX");
    f.init(k);
    return f.getTrustManagers();
  }
  static void echo(SSLSocket s) throws IOException {
    System.out.println("OK " + s.getSession().getProtocol() + " " + s.getSession().getCipherSuite() +
                       " alpn=" + s.getApplicationProtocol() + " t=" + s.getSession().getCreationTime());
    InputStream in = s.getInputStream();
    OutputStream out = s.getOutputStream();
    byte[] buffer = new byte[16384];
    for (int n; (n = in.read(buffer)) >= 0;)
      out.write(buffer, 0, n);
    System.out.println("CLOSED");
  }
  public static void main(String[] a) throws Exception {
    boolean bc = System.getProperty("bc") != null;
    String prov = null;
    if (bc) {
      Security.addProvider((Provider)Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider")
                               .getConstructor()
                               .newInstance());
      Security.addProvider((Provider)Class.forName("org.bouncycastle.jsse.provider.BouncyCastleJsseProvider")
                               .getConstructor()
                               .newInstance());
      prov = "BCJSSE";
    }
    if (a[0].equals("version")) {
      System.out.println(bc ? Security.getProvider("BC").getInfo() : System.getProperty("java.version"));
      return;
    }
    SSLContext x = bc ? SSLContext.getInstance("TLS", prov) : SSLContext.getInstance("TLS");
    int port = Integer.parseInt(a[1]);
    boolean srv = a[0].equals("s");
    KeyManager[] km = srv ? own(a[3], a[4], prov) : a.length > 5 ? own(a[4], a[5], prov) : null;
    String ca = srv ? (a.length > 5 ? a[5] : null) : a[3];
    x.init(km, ca == null ? null : anchors(ca, prov), bc ? SecureRandom.getInstance("DEFAULT", "BC") : null);
    if (srv) {
      SSLServerSocket l =
          (SSLServerSocket)x.getServerSocketFactory().createServerSocket(port, 16, InetAddress.getByName("127.0.0.1"));
      l.setEnabledProtocols(a[2].split(","));
      if (ca != null)
        l.setNeedClientAuth(true);
      SSLParameters sp = l.getSSLParameters();
      sp.setApplicationProtocols(new String[] {"http/1.1"});
      l.setSSLParameters(sp);
      System.out.println("LISTENING " + l.getLocalPort());
      while (true) {
        try (SSLSocket s = (SSLSocket)l.accept()) {
          s.setSoTimeout(8000);
          s.startHandshake();
          echo(s);
        } catch (Exception e) {
          System.out.println("FAIL " + e);
        }
      }
    }
    int n = Integer.getInteger("resume", 0);
    for (int i = 0; i <= n; i++) {
      try (SSLSocket s = (SSLSocket)x.getSocketFactory().createSocket("localhost", port)) {
        s.setSoTimeout(8000);
        s.setEnabledProtocols(a[2].split(","));
        SSLParameters sp = s.getSSLParameters();
        sp.setEndpointIdentificationAlgorithm("HTTPS");
        sp.setApplicationProtocols(new String[] {"http/1.1"});
        sp.setServerNames(List.of(new SNIHostName("localhost")));
        s.setSSLParameters(sp);
        s.startHandshake();
        echo(s);
      }
    }
  }
}
