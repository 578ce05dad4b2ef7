package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"time"
)

// accept serves connections until the listener is closed.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Too many open files, say: others will end.
			s.log.Error("a connection could not be accepted", "error", err)
			if s.options.Wait(s.ctx, 10*time.Millisecond) != nil {
				return
			}
			continue
		}
		s.group.Go(func() { s.serve(conn) })
	}
}

// serve serves one connection to its end.
func (s *Server) serve(conn net.Conn) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	session := &session{server: s, ctx: ctx, cancel: cancel, log: s.log.With("client", conn.RemoteAddr().String())}
	session.wire(conn)
	// What reads the connection ends with it, whatever it waits for.
	stop := context.AfterFunc(ctx, session.hangUp)
	defer stop()
	err := session.serve()
	session.close()
	session.log.Debug("session ended", "pid", session.pid, "reason", err)
}

// register makes a session known by its process. It is refused when the server closes.
func (s *Server) register(session *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errShutdown
	}
	s.sessions[session.pid] = session
	return nil
}

func (s *Server) unregister(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session.pid] == session {
		delete(s.sessions, session.pid)
	}
}

// session returns the session of a process, or nil.
func (s *Server) session(pid int32) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[pid]
}

// selfSigned makes a certificate for loopback that lasts a year.
func selfSigned(now time.Time) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "redshift stand-in"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, nil
}
