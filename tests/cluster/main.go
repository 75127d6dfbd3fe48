// Command testcluster runs one real Kubernetes control plane for tests and demos in a single
// process: embedded etcd on a unix socket, kube-apiserver on 127.0.0.1 and, with --controllers, the
// few controller loops that someone who uses Services needs to see, and a kubelet stand-in whose
// Pods answer HTTP on loopback addresses.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"trellis/tests/cluster/kubelet"
)

// stopTimeout bounds the wait for kube-apiserver to end; it takes about a second.
const stopTimeout = 15 * time.Second

type config struct {
	dataDir     string
	name        string
	port        int
	controllers bool
	podCIDR     string
	podMap      string
	nodes       int
	fsync       bool
	stdinEOF    bool
	eksAuthURL  string
	timeout     time.Duration
	extra       []string // handed to kube-apiserver as they are
}

func main() {
	c := parseFlags()
	if err := run(c); err != nil {
		log.Fatalf("testcluster: %v", err)
	}
}

func parseFlags() config {
	var c config
	flag.StringVar(&c.dataDir, "data-dir", "", "directory for etcd data, certificates (pki/ca.crt) and the kubeconfig; kept, a second start reuses it")
	flag.StringVar(&c.name, "name", "testcluster", "cluster and context name in the kubeconfig")
	flag.IntVar(&c.port, "port", 0, "port on 127.0.0.1 (0: any free one)")
	flag.BoolVar(&c.controllers, "controllers", false, "run the namespace, garbage-collector, serviceaccount, endpointslice, deployment and replicaset controllers and the kubelet stand-in")
	flag.StringVar(&c.podCIDR, "pod-cidr", "10.0.0.0/20", "addresses that Pods get (EndpointSlices refuse loopback ones)")
	flag.StringVar(&c.podMap, "pod-map", "", "two-octet loopback prefix, such as 127.65: the Pod a.b.c.d answers HTTP at 127.65.c.d (empty: Pods do not answer)")
	flag.IntVar(&c.nodes, "nodes", 3, "how many Nodes there are, spread over the zones us-west-2a to c")
	flag.BoolVar(&c.fsync, "fsync", false, "let etcd call fsync (slower; off for tests)")
	flag.BoolVar(&c.stdinEOF, "exit-on-stdin-eof", false, "stop when standard input closes, so that it never outlives the program that started it")
	flag.StringVar(&c.eksAuthURL, "eks-auth-url", "", "TokenReview webhook that checks bearer tokens, http or https (MiniStack: http://HOST:PORT/_ministack/eks-auth/ACCOUNT/REGION/CLUSTER/TOKEN)")
	flag.DurationVar(&c.timeout, "ready-timeout", 2*time.Minute, "how long to wait for /readyz")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: testcluster --data-dir D [flags] [-- kube-apiserver flags]\n"+
			"When it is ready it prints one line: READY <server URL> <kubeconfig>\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	c.extra = flag.Args()
	if c.dataDir == "" {
		flag.Usage()
		os.Exit(2)
	}
	return c
}

// kubeletConfig reads what concerns Pods, before anything is started.
func (c *config) kubeletConfig() (kubelet.Config, error) {
	cidr, err := netip.ParsePrefix(c.podCIDR)
	if err != nil {
		return kubelet.Config{}, fmt.Errorf("--pod-cidr: %w", err)
	}
	podMap, err := kubelet.ParsePodMap(c.podMap)
	if err != nil {
		return kubelet.Config{}, fmt.Errorf("--pod-map: %w", err)
	}
	if c.podMap != "" && !c.controllers {
		return kubelet.Config{}, errors.New("--pod-map needs --controllers: without them no Pod runs")
	}
	return kubelet.Config{PodCIDR: cidr, Nodes: c.nodes, Map: podMap}, nil
}

func run(c config) error {
	began := time.Now()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.stdinEOF {
		go func() {
			_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
			cancel(errors.New("standard input closed"))
		}()
	}
	pods, err := c.kubeletConfig()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.dataDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	etcdURL, etcd, err := startEtcd(dir, c.fsync)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()

	api, err := startAPIServer(ctx, &c, dir, etcdURL)
	if err != nil {
		return err
	}
	if err := api.waitReady(ctx, c.timeout); err != nil {
		return err
	}
	log.Printf("kube-apiserver ready after %v", time.Since(began).Round(time.Millisecond))
	if c.controllers {
		if err := startControllers(ctx, api.kubeconfig, pods); err != nil {
			return fmt.Errorf("controllers: %w", err)
		}
	}
	fmt.Printf("READY %s %s\n", api.url, api.kubeconfig)

	select {
	case err := <-api.done:
		return err
	case <-etcd.Server.StopNotify():
		return errors.New("etcd stopped")
	case err := <-etcd.Err():
		return fmt.Errorf("etcd: %w", err)
	case <-ctx.Done():
		log.Printf("stopping: %v", context.Cause(ctx))
	}
	select {
	case err := <-api.done:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("kube-apiserver did not stop within %v", stopTimeout)
	}
}

// listen binds the port before kube-apiserver starts, so that port 0 works without a race.
func listen(ctx context.Context, port int) (net.Listener, int, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, 0, err
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return nil, 0, fmt.Errorf("listener at %v is not TCP", ln.Addr())
	}
	return ln, addr.Port, nil
}
