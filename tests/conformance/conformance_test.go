// Package conformance runs the upstream Gateway API conformance suite, as it is, against the local stack.
//
// The suite's own flags choose profiles, the report's file and single tests. What stands here is only what the suite
// cannot know: how a client of VPC Lattice reaches a Gateway's address, and which tests ask for what VPC Lattice lacks.
package conformance

import (
	"os"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

// The runner tells by these variables where the emulated VPC Lattice is.
const (
	controlVariable  = "LATTICE_CONTROL_URL"
	dataPortVariable = "LATTICE_DATA_PORT"
)

// A skip is one entry of skips.yaml.
type skip struct {
	Test     string `json:"test"`
	Category string `json:"category"`
	Reason   string `json:"reason"`
}

func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	routes := &rest{cluster: options.Client, t: t}
	client := newVPCClient(t, os.Getenv(controlVariable), os.Getenv(dataPortVariable), options.TimeoutConfig, routes)
	options.RoundTripper = client
	resolveInVPCs(t, client)
	options.SkipTests = append(options.SkipTests, skippedTests(t)...)
	options.Hook = func(t *testing.T, _ suite.ConformanceTest, s *suite.ConformanceTestSuite) {
		client.leaveNetworks(t)
		awaitQuiet(t, s)
		routes.forget()
	}
	conformance.RunConformanceWithOptions(t, options)
}

// skippedTests reads the names of skips.yaml; an entry without a category or a reason fails the run.
func skippedTests(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("skips.yaml")
	if err != nil {
		t.Fatalf("reading the skip list: %v", err)
	}
	var skips []skip
	if err := yaml.UnmarshalStrict(text, &skips); err != nil {
		t.Fatalf("parsing the skip list: %v", err)
	}
	names := make([]string, 0, len(skips))
	for _, entry := range skips {
		if entry.Test == "" || entry.Category == "" || entry.Reason == "" {
			t.Fatalf("the skip of %q needs test, category and reason", entry.Test)
		}
		names = append(names, entry.Test)
	}
	return names
}
