package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"k8s.io/klog/v2"
)

const (
	// readHeaderTimeout ends connections that never send a request; net/http needs some bound.
	readHeaderTimeout = 10 * time.Second
	// maxHeaderBytes is what common servers accept; a request with more gets 431.
	maxHeaderBytes = 64 << 10
)

// servers are the open listeners of one Pod.
type servers struct {
	http    []*http.Server
	streams []*streams
}

// openServers listens for all services at one address, or for none of them: an error is a
// *containerError. When it returns, connections are accepted.
func openServers(addr netip.Addr, services []service) (*servers, error) {
	listeners := make([]net.Listener, 0, len(services))
	for _, s := range services {
		at := net.JoinHostPort(addr.String(), strconv.Itoa(int(s.port)))
		ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", at)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, &containerError{container: s.container, reason: "RunContainerError", err: err}
		}
		listeners = append(listeners, ln)
	}
	all := &servers{}
	for i, s := range services {
		serve := all.add(s)
		go func() {
			err := serve(listeners[i])
			if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, errStreamsClosed) {
				klog.ErrorS(err, "a Pod's listener ended", "address", listeners[i].Addr())
			}
		}()
	}
	return all, nil
}

// add makes the server of a service; what it returns serves a listener until the server is closed.
func (s *servers) add(svc service) func(net.Listener) error {
	if svc.stream != nil {
		server := &streams{converse: svc.stream}
		s.streams = append(s.streams, server)
		return func(ln net.Listener) error {
			if svc.tls != nil {
				ln = tls.NewListener(ln, svc.tls)
			}
			return server.serve(ln)
		}
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: svc.handler, Protocols: protocols, TLSConfig: svc.tls,
		ReadHeaderTimeout: readHeaderTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	s.http = append(s.http, server)
	if svc.tls != nil {
		return func(ln net.Listener) error { return server.ServeTLS(ln, "", "") }
	}
	return server.Serve
}

// shutdown accepts no further connection, lets the requests in flight end until ctx does, and then
// cuts off what is left.
func (s *servers) shutdown(ctx context.Context) {
	for _, server := range s.streams {
		server.close()
	}
	done := make(chan struct{})
	for _, server := range s.http {
		go func() {
			if err := server.Shutdown(ctx); err != nil {
				_ = server.Close() // the grace period is over
			}
			done <- struct{}{}
		}()
	}
	for range s.http {
		<-done
	}
}

// close cuts off everything at once.
func (s *servers) close() {
	for _, server := range s.streams {
		server.close()
	}
	for _, server := range s.http {
		_ = server.Close()
	}
}
