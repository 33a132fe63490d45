package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"molo/nginx"
)

// askTLS connects to every port over both families and compares the certificate that is
// shown for each site with the one on disk. Nobody may be shown one for another name.
func askTLS(ctx context.Context, handshakes []nginx.Handshake) error {
	var refused []uint16
	for _, hs := range handshakes {
		for _, address := range loopbacks() {
			if err := showsLeaf(ctx, socket{address, hs.Port, hs.ProxyProtocol}, hs); err != nil {
				return fmt.Errorf("site %s, port %d: %w", hs.Site, hs.Port, err)
			}
			if slices.Contains(refused, hs.Port) {
				continue
			}
			if err := refuses(ctx, socket{address, hs.Port, hs.ProxyProtocol}); err != nil {
				return fmt.Errorf("port %d: %w", hs.Port, err)
			}
		}
		refused = append(refused, hs.Port)
	}
	return nil
}

// loopbacks lists the addresses of loopback.
func loopbacks() []string {
	if hasIPv6() {
		return []string{"127.0.0.1", "::1"}
	}
	return []string{"127.0.0.1"}
}

// showsLeaf checks one handshake.
func showsLeaf(ctx context.Context, s socket, hs nginx.Handshake) error {
	state, err := handshake(ctx, s, hs.Site)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	switch {
	case hex.EncodeToString(sum[:]) != hs.Leaf:
		return errors.New("nginx shows another certificate than the one on disk")
	case state.NegotiatedProtocol != "h2":
		return errors.New("nginx does not speak HTTP/2")
	}
	return nil
}

// refuses checks that a name nobody serves gets no certificate.
func refuses(ctx context.Context, s socket) error {
	_, err := handshake(ctx, s, nginx.UnknownHost)
	if remote := new(net.OpError); errors.As(err, &remote) && remote.Op == "remote error" {
		return nil // an alert
	}
	if err != nil {
		return err
	}
	return errors.New("a name that is not served is shown a certificate")
}

// handshake connects to loopback. Which certificate is right is for the caller to say,
// so no chain is checked here.
func handshake(ctx context.Context, s socket, name string) (tls.ConnectionState, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	client := tls.Client(conn, loopbackTLS(name, "h2", "http/1.1"))
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return tls.ConnectionState{}, err
	}
	if err := client.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	return client.ConnectionState(), nil
}

// loopbackTLS is for connections to this host itself: the certificate is compared with
// the one on disk, byte for byte, which is more than a chain says.
func loopbackTLS(name string, protocols ...string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}
