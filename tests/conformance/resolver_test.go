package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	httpsPort = "443"
	// Names resolve anew for every connection, since a VPC's associations come and go.
	answerSeconds = 0
)

// A vpcResolver is the name resolution of the client's VPCs, for those of the suite's TLS tests that dial a Gateway's
// address themselves. They dial port 443, so a forwarder leads from there to the data plane's port.
type vpcResolver struct {
	client *vpcClient
	t      *testing.T

	lock    sync.Mutex
	forward map[string]net.Listener
}

// resolveInVPCs makes this process resolve names as the client's VPCs do, until the test ends.
func resolveInVPCs(t *testing.T, client *vpcClient) {
	t.Helper()
	resolver := &vpcResolver{client: client, t: t, forward: map[string]net.Listener{}}
	usual := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: resolver.dial}
	t.Cleanup(func() {
		net.DefaultResolver = usual
		resolver.close()
	})
}

// dial opens a connection to a name server that exists in memory only; messages are framed as over TCP.
func (r *vpcResolver) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		if err := r.serve(ctx, far); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			r.t.Logf("resolving: %v", err)
		}
	}()
	return near, nil
}

func (r *vpcResolver) serve(ctx context.Context, conn net.Conn) error {
	for {
		var length uint16
		if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
			return err
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(conn, text); err != nil {
			return err
		}
		var query dnsmessage.Message
		if err := query.Unpack(text); err != nil {
			return err
		}
		answer, err := r.answer(ctx, query)
		if err != nil {
			return err
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return err
		}
	}
}

// answer gives the address of the data plane in a VPC that reaches the name, or says that there is no such name.
func (r *vpcResolver) answer(ctx context.Context, query dnsmessage.Message) ([]byte, error) {
	if len(query.Questions) != 1 {
		return nil, fmt.Errorf("%d questions in one message", len(query.Questions))
	}
	question := query.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true},
		Questions: query.Questions,
	}
	name := question.Name.String()
	r.client.routes.await()
	prefix, err := r.client.vpcPrefix(ctx, name[:len(name)-1])
	switch {
	case err != nil:
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		address, err := netip.ParseAddr(prefix + dataPlaneSuffix)
		if err != nil {
			return nil, err
		}
		if err := r.openHTTPS(address.String()); err != nil {
			return nil, err
		}
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: answerSeconds},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return reply.Pack()
}

// openHTTPS forwards port 443 of a data plane's address to the port where it listens. Ports below 1024 need a right
// that not every user has; without it the tests that dial themselves fail, and the log tells why.
func (r *vpcResolver) openHTTPS(address string) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.forward[address] != nil {
		return nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, httpsPort))
	if err != nil {
		return err
	}
	r.forward[address] = listener
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(conn.(*net.TCPConn), net.JoinHostPort(address, r.client.dataPort))
		}
	}()
	return nil
}

func (r *vpcResolver) close() {
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, listener := range r.forward {
		listener.Close()
	}
}

// relay copies in both directions and passes on how the data plane ended the connection: in order or by a reset.
func relay(client *net.TCPConn, address string) {
	defer client.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	plane := conn.(*net.TCPConn)
	defer plane.Close()
	go func() {
		_, _ = io.Copy(plane, client)
		_ = plane.CloseWrite()
	}()
	if _, err := io.Copy(client, plane); err != nil {
		_ = client.SetLinger(0)
	}
}
