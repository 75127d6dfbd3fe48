// externaldns is the real ExternalDNS as far as records go: its sources read a cluster, its plan compares, and its registry
// and its in-memory provider keep what it would write to a DNS zone. After each change it prints all records, one line of JSON.
//
// Its program is left out: that links the SDKs of all DNS providers.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	log "github.com/sirupsen/logrus"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider/inmemory"
	"sigs.k8s.io/external-dns/registry"
	"sigs.k8s.io/external-dns/registry/txt"
	"sigs.k8s.io/external-dns/source"
)

// How often ExternalDNS looks; its own default is a minute.
const interval = 500 * time.Millisecond

// managed are the types of records that ExternalDNS manages by default.
var managed = []string{endpoint.RecordTypeA, endpoint.RecordTypeAAAA, endpoint.RecordTypeCNAME}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the cluster that is read")
	zone := flag.String("zone", "example.com", "the DNS zone")
	names := flag.String("sources", "crd", "ExternalDNS' names of its sources, with commas")
	flag.Parse()
	log.SetLevel(log.WarnLevel)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	// Whoever started this is gone when its standard input ends.
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	if err := run(ctx, *kubeconfig, *zone, strings.Split(*names, ",")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, zone string, names []string) error {
	cfg := externaldns.NewConfig()
	cfg.KubeConfig, cfg.TXTOwnerID, cfg.TXTPrefix = kubeconfig, "test", "owner-"
	cfg.ManagedDNSRecordTypes = managed
	sources, err := build(ctx, cfg, names)
	if err != nil {
		return err
	}
	provider := inmemory.NewInMemoryProvider(inmemory.InMemoryInitZones([]string{zone}))
	records, err := txt.New(cfg, provider)
	if err != nil {
		return err
	}
	told := ""
	for {
		if err := synchronize(ctx, sources, records); err != nil {
			return err
		}
		line, err := shown(ctx, records)
		if err != nil {
			return err
		}
		if line != told {
			fmt.Println(line)
			told = line
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func build(ctx context.Context, cfg *externaldns.Config, names []string) ([]source.Source, error) {
	var sources []source.Source
	for _, name := range names {
		config, err := source.NewSourceConfig(cfg)
		if err != nil {
			return nil, err
		}
		one, err := source.BuildWithConfig(ctx, name, config.ClientGenerator(), config)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
		sources = append(sources, one)
	}
	return sources, nil
}

// synchronize does what ExternalDNS' controller does in one round.
func synchronize(ctx context.Context, sources []source.Source, records registry.Registry) error {
	current, err := records.Records(ctx)
	if err != nil {
		return err
	}
	var wanted []*endpoint.Endpoint
	for _, one := range sources {
		endpoints, err := one.Endpoints(ctx)
		if err != nil {
			return err
		}
		wanted = append(wanted, endpoints...)
	}
	if wanted, err = records.AdjustEndpoints(wanted); err != nil {
		return err
	}
	planned := (&plan.Plan{
		Policies:       []plan.Policy{&plan.SyncPolicy{}},
		Current:        current,
		Desired:        wanted,
		DomainFilter:   endpoint.MatchAllDomainFilters{records.GetDomainFilter()},
		ManagedRecords: managed,
		OwnerID:        records.OwnerID(),
	}).Calculate()
	if !planned.Changes.HasChanges() {
		return nil
	}
	return records.ApplyChanges(ctx, planned.Changes)
}

// record is what a DNS zone has of a name.
type record struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	TTL     int64    `json:"ttl"`
	Targets []string `json:"targets"`
	// The object that ExternalDNS has it of.
	Resource string `json:"resource"`
}

func shown(ctx context.Context, records registry.Registry) (string, error) {
	current, err := records.Records(ctx)
	if err != nil {
		return "", err
	}
	all := []record{}
	for _, one := range current {
		if !slices.Contains(managed, one.RecordType) {
			continue
		}
		resource := one.Labels[endpoint.ResourceLabelKey]
		all = append(all, record{one.DNSName, one.RecordType, int64(one.RecordTTL), one.Targets, resource})
	}
	slices.SortFunc(all, func(a, b record) int { return strings.Compare(a.Name+" "+a.Type, b.Name+" "+b.Type) })
	line, err := json.Marshal(all)
	return string(line), err
}
