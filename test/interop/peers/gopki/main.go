// Reads what we make, with Go's crypto/x509: main FOLDER NAME... Each NAME has a chain NAME.pem, a key NAME-key.pem in
// PKCS#8 and a request NAME.csr; root.pem signed the chain, and the list root.crl, which revokes NAME revoked.
package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	folder := os.Args[1]
	blocks := func(name string) (all [][]byte) {
		rest, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			panic(err)
		}
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return all
			}
			all = append(all, block.Bytes)
		}
	}
	root, err := x509.ParseCertificate(blocks("root.pem")[0])
	if err != nil {
		panic(err)
	}
	list, err := x509.ParseRevocationList(blocks("root.crl")[0])
	if err == nil {
		err = list.CheckSignatureFrom(root)
	}
	fmt.Println("root.crl", len(list.RevokedCertificateEntries), err)
	for _, name := range os.Args[2:] {
		fmt.Println(name, check(name, blocks, root))
	}
}

func check(name string, blocks func(string) [][]byte, root *x509.Certificate) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	chain := blocks(name + ".pem")
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return err
	}
	for _, der := range chain[1:] {
		intermediate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates.AddCert(intermediate)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: host}
		if _, err := leaf.Verify(options); err != nil {
			return err
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(blocks(name + "-key.pem")[0])
	if err != nil {
		return err
	}
	public := key.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
	if !public.Equal(leaf.PublicKey) {
		return fmt.Errorf("another key")
	}
	request, err := x509.ParseCertificateRequest(blocks(name + ".csr")[0])
	if err != nil {
		return err
	}
	if len(request.DNSNames) != 1 || len(request.IPAddresses) != 2 {
		return fmt.Errorf("names %v %v", request.DNSNames, request.IPAddresses)
	}
	return request.CheckSignature()
}
