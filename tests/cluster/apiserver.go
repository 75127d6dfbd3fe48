package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// apiServer is the running kube-apiserver.
type apiServer struct {
	url        string
	kubeconfig string // file with the administrator's client certificate
	pki        *pki
	done       chan error // its end
}

// startAPIServer makes the certificates and the kubeconfig in dir and runs kube-apiserver.
func startAPIServer(ctx context.Context, c *config, dir, etcdURL string) (*apiServer, error) {
	ln, port, err := listen(ctx, c.port)
	if err != nil {
		return nil, err
	}
	pki, err := ensurePKI(filepath.Join(dir, "pki"))
	if err != nil {
		return nil, err
	}
	api := &apiServer{
		url: fmt.Sprintf("https://127.0.0.1:%d", port), kubeconfig: filepath.Join(dir, "kubeconfig"),
		pki: pki, done: make(chan error, 1),
	}
	if err := pki.writeKubeconfig(api.kubeconfig, c.name, api.url); err != nil {
		return nil, err
	}
	args := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // Endpoints may not hold a loopback address
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		"--authorization-mode=Node,RBAC",
		"--client-ca-file=" + pki.path("ca.crt"),
		"--tls-cert-file=" + pki.path("server.crt"),
		"--tls-private-key-file=" + pki.path("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki.path("sa.key"),
		"--service-account-signing-key-file=" + pki.path("sa.key"),
		"--profiling=false",
	}
	if c.eksAuthURL != "" {
		auth, err := eksAuthArgs(dir, c.eksAuthURL)
		if err != nil {
			return nil, err
		}
		args = append(args, auth...)
	}
	args = append(args, c.extra...)
	go func() { api.done <- runAPIServer(ctx, ln, port, args) }()
	return api, nil
}

// runAPIServer is kube-apiserver's own command (app.NewAPIServerCommand) without its signal
// handler and with a listener that is already bound, so that port 0 works without a race.
func runAPIServer(ctx context.Context, ln net.Listener, port int, args []string) error {
	s := options.NewServerRunOptions()
	fs := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, f := range s.Flags().FlagSets {
		fs.AddFlagSet(f)
	}
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("kube-apiserver flags %s: %w", strings.Join(args, " "), err)
	}
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	logs.InitLogs()
	if err := logsapi.ValidateAndApply(s.Logs, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	s.SecureServing.Listener, s.SecureServing.BindPort = ln, port
	done, err := s.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := done.Validate(); len(errs) != 0 {
		return utilerrors.NewAggregate(errs)
	}
	return app.Run(ctx, done)
}

// waitReady asks /readyz until it says yes.
func (a *apiServer) waitReady(ctx context.Context, timeout time.Duration) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.pki.pem("ca.crt"))
	cert, err := tls.X509KeyPair(a.pki.pem("admin.crt"), a.pki.pem("admin.key"))
	if err != nil {
		return err
	}
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}},
	}
	defer client.CloseIdleConnections()
	deadline := time.Now().Add(timeout)
	last := "no answer"
	for time.Now().Before(deadline) {
		resp, err := client.Get(a.url + "/readyz?verbose")
		if err == nil {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<14))
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			last = fmt.Sprintf("HTTP %d: %s", resp.StatusCode, body)
		} else {
			last = err.Error()
		}
		select {
		case err := <-a.done:
			return fmt.Errorf("kube-apiserver ended before it was ready: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("not ready after %v: %s", timeout, last)
}
