package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd runs etcd in this process on unix sockets, so that no TCP port is taken.
func startEtcd(dir string, fsync bool) (string, *embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Name = "default"
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{"stderr"}
	cfg.UnsafeNoFsync = !fsync
	cfg.AutoCompactionMode = "periodic"
	cfg.AutoCompactionRetention = "5m"
	sock := filepath.Join(dir, "etcd.sock")
	if len(sock) > 100 { // sun_path holds 108 bytes
		return "", nil, fmt.Errorf("data-dir is too long for a unix socket: %s", sock)
	}
	_ = os.Remove(sock)
	_ = os.Remove(sock + ".peer")
	client := url.URL{Scheme: "unix", Path: sock}
	peer := url.URL{Scheme: "unix", Path: sock + ".peer"}
	// etcd insists on host:port in what it advertises; a single member never dials it and nothing listens there.
	nominal := []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, nominal
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, nominal
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return "", nil, err
	}
	select {
	case <-e.Server.ReadyNotify():
		return client.String(), e, nil
	case err := <-e.Err():
		return "", nil, err
	case <-time.After(30 * time.Second):
		e.Close()
		return "", nil, errors.New("not ready after 30 s")
	}
}
