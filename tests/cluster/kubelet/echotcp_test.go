package kubelet

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
)

// tcpPod is an echo server in its TCP mode; with a certificate if there is one.
func tcpPod(t *testing.T, cert, key []byte) []service {
	t.Helper()
	env := []v1.EnvVar{{Name: "TCP_ECHO_SERVER", Value: "1"}}
	if cert != nil {
		env = append(env, v1.EnvVar{Name: "TLS_SERVER_CERT", Value: "crt"}, v1.EnvVar{Name: "TLS_SERVER_PRIV_KEY", Value: "key"})
	}
	files := func(*v1.Container) fileReader {
		return func(file string) ([]byte, error) { return map[string][]byte{"crt": cert, "key": key}[file], nil }
	}
	services, err := servicesOf(echoPod(env...), nil, files)
	if err != nil {
		t.Fatal(err)
	}
	return services
}

// opened serves a Pod's services at an address until the test ends.
func opened(t *testing.T, address string, services []service) *servers {
	t.Helper()
	open, err := openServers(netip.MustParseAddr(address), services)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(open.close)
	return open
}

// A dialogue asks line by line.
type dialogue struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// speak begins a dialogue, whose every step has to end in time.
func speak(t *testing.T, conn net.Conn, err error) *dialogue {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	d := &dialogue{t: t, conn: conn, lines: bufio.NewReader(conn)}
	if got := d.read(); got != tcpWelcome {
		t.Fatalf("greeted by %q", got)
	}
	return d
}

func (d *dialogue) read() string {
	d.t.Helper()
	line, err := d.lines.ReadString('\n')
	if err != nil {
		d.t.Fatal(err)
	}
	return line
}

func (d *dialogue) ask(line string) string {
	d.t.Helper()
	if _, err := fmt.Fprintln(d.conn, line); err != nil {
		d.t.Fatal(err)
	}
	return d.read()
}

// report asks where the server runs and how the connection came.
func (d *dialogue) report() (got tcpEcho) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.ask("TEST")), &got); err != nil {
		d.t.Fatal(err)
	}
	return got
}

func TestTheTCPEchoServerAnswersLinesAndTellsWhereItRuns(t *testing.T) {
	services := tcpPod(t, nil, nil)
	if got := ports(services); !reflect.DeepEqual(got, []uint16{3000}) {
		t.Fatalf("ports %v", got)
	}
	opened(t, "127.94.1.7", services)
	conn, err := net.Dial("tcp", "127.94.1.7:3000")
	d := speak(t, conn, err)
	if got := d.ask("PING"); got != "PONG\n" {
		t.Errorf("got %q", got)
	}
	// What it does not know it leaves without an answer.
	if got := d.ask("WHAT\nIS_TLS"); got != "false\n" {
		t.Errorf("got %q", got)
	}
	if got := d.report(); got.Pod != "pod-1" || got.Namespace != "ns" || got.TCPPort != "3000" || got.IsTLS || got.TLS != nil {
		t.Errorf("got %+v", got)
	}
}

func TestTheTCPEchoServerEndsTLSWithTheMountedCertificate(t *testing.T) {
	cert, key := selfSigned(t)
	services := tcpPod(t, cert, key)
	if got := ports(services); !reflect.DeepEqual(got, []uint16{3000, 8443}) {
		t.Fatalf("ports %v", got)
	}
	opened(t, "127.94.1.8", services)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	conn, err := tls.Dial("tcp", "127.94.1.8:8443", &tls.Config{RootCAs: roots, ServerName: "echo.example"})
	d := speak(t, conn, err)
	if got := d.ask("IS_TLS"); got != "true\n" {
		t.Errorf("got %q", got)
	}
	if got := d.report(); !got.IsTLS || got.TLS == nil || got.TLS.ServerName != "echo.example" || got.TLS.Version != "TLS 1.3" {
		t.Errorf("got %+v, %+v", got, got.TLS)
	}
}

func TestAConnectionOfATCPPodEndsWithThePod(t *testing.T) {
	open := opened(t, "127.94.1.9", tcpPod(t, nil, nil))
	conn, err := net.Dial("tcp", "127.94.1.9:3000")
	d := speak(t, conn, err)
	open.shutdown(t.Context())
	if line, err := d.lines.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v", line, err)
	}
	if conn, err := net.Dial("tcp", "127.94.1.9:3000"); err == nil {
		_ = conn.Close()
		t.Error("it still accepts connections")
	}
}
