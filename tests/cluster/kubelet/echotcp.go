package kubelet

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

const (
	echoTCPPort = 3000 // TCP_PORT of the image when unset
	echoTLSPort = 8443 // TLS_PORT of the image when unset

	// tcpWelcome is what the suite's client reads before it asks anything.
	tcpWelcome = "Gateway API Test TCP Server\n"
	// tcpIdle ends connections whose client asks nothing more; VPC Lattice carries none for longer either.
	tcpIdle = 10 * time.Minute
)

// tcpEcho is the answer of the echo server's TCP mode: where it runs and how the connection came. The suite decodes it
// by these member names.
type tcpEcho struct {
	place
	TCPPort string       `json:"tcpport"`
	TLSPort string       `json:"tlsport,omitempty"`
	IsTLS   bool         `json:"isTLS"`
	TLS     *tcpTLSState `json:"tls,omitempty"`
}

// tcpTLSState is what the TCP mode tells of TLS; unlike in HTTP, the version is spelt as Go does.
type tcpTLSState struct {
	Version            string `json:"version"`
	ServerName         string `json:"serverName"`
	NegotiatedProtocol string `json:"negotiatedProtocol,omitempty"`
	Curves             string `json:"curves,omitempty"`
	CipherSuite        string `json:"cipherSuite"`
}

// echoTCP is what a container of the image serves in its TCP mode: lines on one port, and on another the same within
// TLS if it has a certificate. Its key's variable has another name than in the other modes.
func echoTCP(container string, env map[string]string, where place, files fileReader) ([]service, error) {
	config, err := serverCertificate(env["TLS_SERVER_CERT"], env["TLS_SERVER_PRIV_KEY"], files)
	if err != nil {
		return nil, err
	}
	plain, secure := portOr(env["TCP_PORT"], echoTCPPort), portOr(env["TLS_PORT"], echoTLSPort)
	answer := tcpEcho{place: where, TCPPort: strconv.Itoa(int(plain)), TLSPort: strconv.Itoa(int(secure))}
	all := []service{{container: container, port: plain, stream: answer.converse}}
	if config != nil {
		all = append(all, service{container: container, port: secure, stream: answer.converse, tls: config})
	}
	return all, nil
}

// converse greets the client and answers its lines until it ends the connection.
func (e tcpEcho) converse(ctx context.Context, conn net.Conn) error {
	if secure, ok := conn.(*tls.Conn); ok {
		handshake, cancel := context.WithTimeout(ctx, readHeaderTimeout)
		err := secure.HandshakeContext(handshake)
		cancel()
		if err != nil {
			return err
		}
		state := secure.ConnectionState()
		e.IsTLS, e.TLS = true, &tcpTLSState{
			Version: tls.VersionName(state.Version), ServerName: state.ServerName, NegotiatedProtocol: state.NegotiatedProtocol,
			Curves: state.CurveID.String(), CipherSuite: tls.CipherSuiteName(state.CipherSuite),
		}
	}
	report, err := json.Marshal(e)
	if err != nil {
		return err
	}
	replies := map[string]string{"TEST": string(report), "IS_TLS": strconv.FormatBool(e.IsTLS), "PING": "PONG"}
	if err := conn.SetDeadline(time.Now().Add(tcpIdle)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(tcpWelcome)); err != nil {
		return err
	}
	// The scanner refuses lines of more than 64 KiB.
	for lines := bufio.NewScanner(conn); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		if err := conn.SetDeadline(time.Now().Add(tcpIdle)); err != nil {
			return err
		}
		if reply, known := replies[lines.Text()]; known {
			if _, err := fmt.Fprintln(conn, reply); err != nil {
				return err
			}
		}
	}
}

// errStreamsClosed is what serve returns after close, as http.ErrServerClosed.
var errStreamsClosed = errors.New("the server is closed")

// streams serves connections that do not speak HTTP.
type streams struct {
	converse func(context.Context, net.Conn) error

	lock     sync.Mutex
	closed   bool
	listener net.Listener
	open     map[net.Conn]struct{}
	running  sync.WaitGroup
}

// serve accepts connections until close; each has a goroutine of its own.
func (s *streams) serve(ln net.Listener) error {
	if !s.listen(ln) {
		return errStreamsClosed
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			if s.isClosed() {
				return errStreamsClosed
			}
			return err
		}
		if !s.track(conn) {
			return errStreamsClosed
		}
		go func() {
			defer s.running.Done()
			defer s.forget(conn)
			// How a client ends a conversation is its own affair; a server that can tell nobody closes the connection.
			_ = s.converse(context.Background(), conn)
		}()
	}
}

// close ends the listener and all connections, and waits for their goroutines. The image's server ends so: it waits for
// nobody when it is told to stop, since a connection has no end of its own.
func (s *streams) close() {
	s.lock.Lock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for conn := range s.open {
		_ = conn.Close()
	}
	s.lock.Unlock()
	s.running.Wait()
}

func (s *streams) isClosed() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.closed
}

// listen takes over the listener; after close it closes it.
func (s *streams) listen(ln net.Listener) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.closed {
		_ = ln.Close()
		return false
	}
	s.listener, s.open = ln, map[net.Conn]struct{}{}
	return true
}

// track takes over a connection; after close it closes it.
func (s *streams) track(conn net.Conn) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.closed {
		_ = conn.Close()
		return false
	}
	s.open[conn] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *streams) forget(conn net.Conn) {
	_ = conn.Close()
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.open, conn)
}
