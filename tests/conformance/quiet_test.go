package conformance

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

const (
	// A Gateway's status follows its last route's end within a second or two; the rest is for a loaded machine.
	quietWithin = 30 * time.Second
	quietPoll   = 200 * time.Millisecond
)

// awaitQuiet waits until no Gateway of the base manifests has an address left from the test that just ended.
//
// A Gateway's addresses are the domain names of its routes. The suite takes the first address that it finds as soon as
// it has applied a test's manifests, and may find the name of a route that is just going. This is the suite's test
// isolation with a condition in place of a fixed time.
func awaitQuiet(t *testing.T, s *suite.ConformanceTestSuite) {
	t.Helper()
	deadline := time.Now().Add(quietWithin)
	for {
		busy := addressedGateways(t, s.Client)
		if len(busy) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Logf("Gateways %v still have addresses %v after the test", busy, quietWithin)
			return
		}
		time.Sleep(quietPoll)
	}
}

func addressedGateways(t *testing.T, c client.Client) []string {
	t.Helper()
	var gateways gatewayv1.GatewayList
	if err := c.List(context.Background(), &gateways, client.InNamespace(suite.InfrastructureNamespace)); err != nil {
		t.Logf("listing Gateways: %v", err)
		return nil
	}
	var names []string
	for _, gateway := range gateways.Items {
		if len(gateway.Status.Addresses) > 0 {
			names = append(names, gateway.Name)
		}
	}
	return names
}
