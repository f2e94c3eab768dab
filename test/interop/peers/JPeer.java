// JSSE / BCJSSE peer.  run: java JPeer.java c PORT TLSv1.3|TLSv1.2 ca.crt | s PORT TLSv1.3,TLSv1.2 rsa.p12 [ca.crt]
// BouncyCastle: java -cp /usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:/usr/share/java/bctls.jar:. -Dbc=1 JPeer
// ...
import javax.net.ssl.*;
import java.io.*;
import java.net.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
public class JPeer {
  public static void main(String[] a) throws Exception {
    boolean bc = System.getProperty("bc") != null;
    String prov = null;
    if (bc) {
      Provider p =
          (Provider)Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getConstructor().newInstance();
      Security.addProvider(p);
      Provider q = (Provider)Class.forName("org.bouncycastle.jsse.provider.BouncyCastleJsseProvider")
                       .getConstructor()
                       .newInstance();
      Security.addProvider(q);
      prov = "BCJSSE";
    }
    SSLContext x = bc ? SSLContext.getInstance("TLS", prov) : SSLContext.getInstance("TLS");
    String alg = bc ? "PKIX" : "PKIX";
    int port = Integer.parseInt(a[1]);
    boolean srv = a[0].equals("s");
    KeyManager[] km = null;
    TrustManager[] tm = null;
    if (srv) {
      KeyStore k = KeyStore.getInstance("PKCS12");
      k.load(new FileInputStream(a[3]), "changeit".toCharArray());
      KeyManagerFactory f = bc ? KeyManagerFactory.getInstance("PKIX", prov) : KeyManagerFactory.getInstance("PKIX");
      f.init(k, "changeit".toCharArray());
      km = f.getKeyManagers();
    }
    String ca = srv ? (a.length > 4 ? a[4] : null) : a[3];
    if (ca != null) {
      KeyStore k = KeyStore.getInstance("PKCS12");
      k.load(null, null);
      k.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(ca)));
      TrustManagerFactory f =
          bc ? TrustManagerFactory.getInstance("PKIX", prov) : TrustManagerFactory.getInstance("PKIX");
      f.init(k);
      tm = f.getTrustManagers();
    }
    x.init(km, tm, bc ? SecureRandom.getInstance("DEFAULT", "BC") : null);
    if (srv) {
      SSLServerSocket l =
          (SSLServerSocket)x.getServerSocketFactory().createServerSocket(port, 16, InetAddress.getByName("127.0.0.1"));
      l.setEnabledProtocols(a[2].split(","));
      if (ca != null)
        l.setNeedClientAuth(true);
      SSLParameters sp = l.getSSLParameters();
      sp.setApplicationProtocols(new String[] {"http/1.1"});
      l.setSSLParameters(sp);
      System.out.println("LISTENING");
      while (true) {
        try (SSLSocket s = (SSLSocket)l.accept()) {
          s.setSoTimeout(8000);
          s.startHandshake();
          System.out.println("OK " + s.getSession().getProtocol() + " " + s.getSession().getCipherSuite() +
                             " alpn=" + s.getApplicationProtocol());
          new BufferedReader(new InputStreamReader(s.getInputStream())).readLine();
          s.getOutputStream().write("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n".getBytes());
        } catch (Exception e) {
          System.out.println("FAIL " + e);
        }
      }
    }
    int n = Integer.getInteger("resume", 0);
    for (int i = 0; i <= n; i++) {
      SSLSocket s = (SSLSocket)x.getSocketFactory().createSocket("localhost", port);
      s.setSoTimeout(8000);
      s.setEnabledProtocols(a[2].split(","));
      SSLParameters sp = s.getSSLParameters();
      sp.setEndpointIdentificationAlgorithm("HTTPS");
      sp.setApplicationProtocols(new String[] {"http/1.1"});
      sp.setServerNames(List.of(new SNIHostName("localhost")));
      s.setSSLParameters(sp);
      s.startHandshake();
      s.getOutputStream().write("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n".getBytes());
      System.out.println("OK " + s.getSession().getProtocol() + " " + s.getSession().getCipherSuite() +
                         " alpn=" + s.getApplicationProtocol() + " t=" + s.getSession().getCreationTime() + " " +
                         new BufferedReader(new InputStreamReader(s.getInputStream())).readLine());
      s.close();
    }
  }
}
