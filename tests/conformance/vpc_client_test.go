package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/gateway-api/conformance/utils/config"
	"sigs.k8s.io/gateway-api/conformance/utils/roundtripper"
)

const (
	// Where clients of a VPC find VPC Lattice below the VPC's loopback prefix.
	dataPlaneSuffix = ".255.254"
	// The emulator's answers are read up to this size; its whole state in a run has about 200 KB.
	answerBytesMax = 16 << 20
	// The control plane is on the loopback interface and answers within milliseconds.
	controlTimeout = 10 * time.Second
)

// A vpcClient sends the suite's requests as a machine in a VPC that is associated with the Gateway's service network.
//
// A VPC can be associated with one service network, so the cluster's own VPC reaches one of the suite's Gateways. For
// the others the client stands in a VPC of its own, which it associates when the first request asks for it, as the
// owner of such a VPC would.
type vpcClient struct {
	sender   roundtripper.DefaultRoundTripper
	control  string
	dataPort string
	http     http.Client
	routes   *rest

	lock sync.Mutex
	// joined are the ids of the VPC associations that this client made.
	joined []string
}

// latticeState is what the client needs of the emulator's `GET /_emulator/state`.
type latticeState struct {
	ServiceLinks []struct {
		NetworkID string `json:"serviceNetworkId"`
		DNS       struct {
			Name string `json:"domainName"`
		} `json:"dnsEntry"`
	} `json:"serviceNetworkServiceAssociations"`
	VPCLinks []struct {
		NetworkID string `json:"serviceNetworkId"`
		VPC       string `json:"vpcId"`
		Status    string `json:"status"`
	} `json:"serviceNetworkVpcAssociations"`
	// Prefixes are the VPCs' loopback prefixes, by VPC.
	Prefixes map[string]string `json:"vpcs"`
}

func newVPCClient(t *testing.T, control, dataPort string, timeouts config.TimeoutConfig, routes *rest) *vpcClient {
	t.Helper()
	if control == "" || dataPort == "" {
		t.Fatalf("%s and %s have to say where VPC Lattice is", controlVariable, dataPortVariable)
	}
	client := &vpcClient{control: control, dataPort: dataPort, http: http.Client{Timeout: controlTimeout}, routes: routes}
	client.sender = roundtripper.DefaultRoundTripper{TimeoutConfig: timeouts, CustomDialContext: client.dial}
	return client
}

// CaptureRoundTrip sends the request to the data plane.
//
// All listeners share one port there and the Host header names the one that is meant, so a port of the URL is added to
// a host that has none, and taken away from what the backend saw.
func (c *vpcClient) CaptureRoundTrip(request roundtripper.Request) (*roundtripper.CapturedRequest, *roundtripper.CapturedResponse, error) {
	c.routes.await()
	host, port := request.Host, request.URL.Port()
	_, _, noPort := net.SplitHostPort(host)
	if host == "" || port == "" || noPort == nil {
		return c.sender.CaptureRoundTrip(request)
	}
	request.Host = net.JoinHostPort(host, port)
	seen, answer, err := c.sender.CaptureRoundTrip(request)
	if seen != nil && seen.Host == request.Host {
		seen.Host = host
	}
	return seen, answer, err
}

// dial connects to the data plane of a VPC from which the domain name can be reached.
func (c *vpcClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	prefix, err := c.vpcPrefix(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, net.JoinHostPort(prefix+dataPlaneSuffix, c.dataPort))
}

// vpcPrefix finds the loopback prefix of a VPC whose network has the service of that domain name, and associates a VPC
// with the network if there is none.
func (c *vpcClient) vpcPrefix(ctx context.Context, name string) (string, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	state, err := c.state(ctx)
	if err != nil {
		return "", err
	}
	network := state.networkOf(name)
	if network == "" {
		return "", fmt.Errorf("no service of this name is in a service network")
	}
	if prefix := state.prefixIn(network); prefix != "" {
		return prefix, nil
	}
	if err := c.join(ctx, network); err != nil {
		return "", err
	}
	if state, err = c.state(ctx); err != nil {
		return "", err
	}
	if prefix := state.prefixIn(network); prefix != "" {
		return prefix, nil
	}
	return "", fmt.Errorf("the association of a VPC with %s is not active yet", network)
}

func (s *latticeState) networkOf(name string) string {
	for _, link := range s.ServiceLinks {
		if link.DNS.Name == name {
			return link.NetworkID
		}
	}
	return ""
}

func (s *latticeState) prefixIn(network string) string {
	found := map[string]string{}
	for _, link := range s.VPCLinks {
		if prefix := s.Prefixes[link.VPC]; link.NetworkID == network && link.Status == "ACTIVE" && prefix != "" {
			found[link.VPC] = prefix
		}
	}
	for _, vpc := range slices.Sorted(maps.Keys(found)) {
		return found[vpc]
	}
	return ""
}

// join associates a VPC, whose id is made from the network's, with the network.
func (c *vpcClient) join(ctx context.Context, network string) error {
	body := map[string]string{
		"serviceNetworkIdentifier": network,
		"vpcIdentifier":            "vpc-" + strings.TrimPrefix(network, "sn-"),
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := c.call(ctx, http.MethodPost, "/servicenetworkvpcassociations", body, &made); err != nil {
		return err
	}
	c.joined = append(c.joined, made.ID)
	return nil
}

// leaveNetworks takes the client's own VPCs out of their networks, which could not be deleted otherwise.
func (c *vpcClient) leaveNetworks(t *testing.T) {
	t.Helper()
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, id := range c.joined {
		if err := c.call(context.Background(), http.MethodDelete, "/servicenetworkvpcassociations/"+id, nil, nil); err != nil {
			t.Logf("leaving a service network: %v", err)
		}
	}
	c.joined = nil
}

func (c *vpcClient) state(ctx context.Context) (*latticeState, error) {
	var state latticeState
	if err := c.call(ctx, http.MethodGet, "/_emulator/state", nil, &state); err != nil {
		return nil, err
	}
	return &state, nil
}

// call sends JSON to the control plane, where signatures are not checked, and parses the answer into `into`.
func (c *vpcClient) call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.control+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("content-type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax))
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
