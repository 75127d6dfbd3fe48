package main

import (
	"fmt"
	"net/url"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// eksAuthCacheTTL is how long kube-apiserver believes a TokenReview. Its own default of two minutes
// would keep an access entry's earlier answer far into a test that changes it.
const eksAuthCacheTTL = "10s"

// eksAuthArgs makes kube-apiserver ask the TokenReview webhook at rawURL about bearer tokens, as
// EKS does with its own, and gives the flags for it. The URL may be plain http.
func eksAuthArgs(dir, rawURL string) ([]string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("--eks-auth-url: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("--eks-auth-url %q: want http:// or https:// with a host", rawURL)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--eks-auth-url %q: a query or fragment would be lost", rawURL)
	}
	const name = "eks-auth"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: rawURL}
	c.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	file := filepath.Join(dir, "eks-auth.kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		return nil, err
	}
	return []string{
		"--authentication-token-webhook-config-file=" + file,
		"--authentication-token-webhook-version=v1",
		"--authentication-token-webhook-cache-ttl=" + eksAuthCacheTTL,
	}, nil
}
