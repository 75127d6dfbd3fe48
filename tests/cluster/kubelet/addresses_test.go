package kubelet

import (
	"net/netip"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func TestThePodMapKeepsTheLastTwoOctets(t *testing.T) {
	m, err := ParsePodMap("127.65")
	if err != nil {
		t.Fatal(err)
	}
	for pod, want := range map[string]string{"10.0.0.3": "127.65.0.3", "10.0.15.254": "127.65.15.254", "192.168.7.8": "127.65.7.8"} {
		if got, ok := m.Loopback(netip.MustParseAddr(pod)); !ok || got.String() != want {
			t.Errorf("%s is served at %v (%v), want %s", pod, got, ok, want)
		}
	}
	if got, ok := m.Loopback(netip.MustParseAddr("fd00::1")); ok {
		t.Errorf("an IPv6 address is served at %v", got)
	}
}

func TestTheEmptyPodMapServesNothing(t *testing.T) {
	m, err := ParsePodMap("")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := m.Loopback(netip.MustParseAddr("10.0.0.3")); ok {
		t.Errorf("served at %v", got)
	}
}

func TestAPodMapOutsideTheLoopbackRangeIsRefused(t *testing.T) {
	for _, text := range []string{"10.0", "127", "127.", "127.256", "127.0", "127.65.1", "127.x", "65.127"} {
		if m, err := ParsePodMap(text); err == nil {
			t.Errorf("%q gave %v", text, m)
		}
	}
}

func TestAPodMapRefusesARangeThatItCannotTellApart(t *testing.T) {
	m, err := ParsePodMap("127.65")
	if err != nil {
		t.Fatal(err)
	}
	for cidr, fits := range map[string]bool{"10.0.0.0/20": true, "10.0.0.0/16": true, "10.0.0.0/15": false, "fd00::/112": false} {
		if err := m.check(netip.MustParsePrefix(cidr)); (err == nil) != fits {
			t.Errorf("%s: %v", cidr, err)
		}
	}
}

func TestAddressesAreGivenRoundTheRangeAndRestBeforeTheyAreGivenAgain(t *testing.T) {
	p := newAddressPool(netip.MustParsePrefix("10.0.0.0/29")) // .1 to .6
	take := func(pod string, now time.Time) string {
		t.Helper()
		addr, err := p.take(types.UID(pod), now)
		if err != nil {
			return err.Error()
		}
		return addr.String()
	}
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	want(take("a", start), "10.0.0.1")
	want(take("a", start), "10.0.0.1")
	want(take("b", start), "10.0.0.2")
	p.release("a", start)
	want(take("c", start), "10.0.0.3")
	want(take("d", start), "10.0.0.4")
	want(take("e", start), "10.0.0.5")
	want(take("f", start), "10.0.0.6")
	want(take("g", start.Add(addressCooldown-1)), "no address is free in 10.0.0.0/29")
	want(take("g", start.Add(addressCooldown)), "10.0.0.1")
	want(take("h", start.Add(addressCooldown)), "no address is free in 10.0.0.0/29")
}

func TestAReservedAddressIsGivenToNoOtherPod(t *testing.T) {
	p := newAddressPool(netip.MustParsePrefix("10.0.0.0/29"))
	p.reserve("old", netip.MustParseAddr("10.0.0.1"))
	if addr, err := p.take("new", start); err != nil || addr.String() != "10.0.0.2" {
		t.Errorf("got %v, %v", addr, err)
	}
	if addr, err := p.take("old", start); err != nil || addr.String() != "10.0.0.1" {
		t.Errorf("got %v, %v", addr, err)
	}
}

func TestReleasingASharedAddressLeavesItToTheOtherPod(t *testing.T) {
	p := newAddressPool(netip.MustParsePrefix("10.0.0.0/30")) // .1 and .2
	shared := netip.MustParseAddr("10.0.0.1")
	p.reserve("first", shared)
	p.reserve("second", shared)
	p.release("second", start)
	if addr, err := p.take("third", start.Add(time.Hour)); err != nil || addr.String() != "10.0.0.2" {
		t.Errorf("got %v, %v", addr, err)
	}
}

func TestTheDataPlanesAddressIsNeverGiven(t *testing.T) {
	p := newAddressPool(netip.MustParsePrefix("10.0.255.252/30")) // .253 and .254
	if addr, err := p.take("a", start); err != nil || addr.String() != "10.0.255.253" {
		t.Errorf("got %v, %v", addr, err)
	}
	if addr, err := p.take("b", start); err == nil {
		t.Errorf("got %v, want none", addr)
	}
}
