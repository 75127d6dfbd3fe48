package kubelet

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// slow is a service whose request is in flight between entered and leave.
type slow struct {
	service
	entered, leave chan struct{}
}

func newSlow(port uint16) *slow {
	s := &slow{entered: make(chan struct{}), leave: make(chan struct{})}
	s.service = service{container: "c", port: port, handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(s.entered)
		<-s.leave
		_, _ = io.WriteString(w, "done")
	})}
	return s
}

// call sends one request and gives the answer's body, or how it failed.
func call(url string) (body <-chan string, failed <-chan error) {
	answers, errs := make(chan string, 1), make(chan error, 1)
	go func() {
		resp, err := http.Get(url)
		if err != nil {
			errs <- err
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			errs <- err
			return
		}
		answers <- string(text)
	}()
	return answers, errs
}

func TestARequestInFlightIsAnsweredThoughTheListenerCloses(t *testing.T) {
	address := netip.MustParseAddr("127.94.1.1")
	s := newSlow(testPort)
	open, err := openServers(address, []service{s.service})
	if err != nil {
		t.Fatal(err)
	}
	body, failed := call("http://127.94.1.1:" + strconv.Itoa(testPort))
	<-s.entered
	over := make(chan struct{})
	go func() { open.shutdown(t.Context()); close(over) }()
	for end := time.Now().Add(patience); answers("127.94.1.1"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the listener stays open")
		}
	}
	select {
	case <-over:
		t.Fatal("shutdown did not wait for the request")
	default:
	}
	close(s.leave)
	select {
	case text := <-body:
		if text != "done" {
			t.Errorf("got %q", text)
		}
	case err := <-failed:
		t.Error(err)
	}
	<-over
}

func TestARequestThatOutlivesTheGracePeriodIsCutOff(t *testing.T) {
	s := newSlow(testPort)
	defer close(s.leave)
	open, err := openServers(netip.MustParseAddr("127.94.1.2"), []service{s.service})
	if err != nil {
		t.Fatal(err)
	}
	body, failed := call("http://127.94.1.2:" + strconv.Itoa(testPort))
	<-s.entered
	grace, cancel := context.WithCancel(t.Context())
	cancel()
	open.shutdown(grace)
	select {
	case text := <-body:
		t.Errorf("it was answered: %q", text)
	case <-failed:
	}
}

func TestWhenOnePortIsTakenNoneIsServed(t *testing.T) {
	address := netip.MustParseAddr("127.94.1.3")
	handler := http.NotFoundHandler()
	first, err := openServers(address, []service{{container: "a", port: testPort + 1, handler: handler}})
	if err != nil {
		t.Fatal(err)
	}
	defer first.close()
	_, err = openServers(address, []service{
		{container: "b", port: testPort, handler: handler}, {container: "c", port: testPort + 1, handler: handler},
	})
	var port *containerError
	if !errors.As(err, &port) || port.container != "c" {
		t.Errorf("got %v, want an error of container c", err)
	}
	if answers("127.94.1.3") {
		t.Error("the other port is served")
	}
}
