package kubelet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PodMap says where on this machine the Pods of one VPC answer: the Pod a.b.c.d is served at
// p.q.c.d, p.q being the loopback prefix of its VPC. Pods of two VPCs may so have the same address.
// The zero PodMap serves nothing.
type PodMap struct {
	prefix [2]byte
	set    bool
}

// podMapBits is how much of a Pod's address the map keeps; a longer range could not be told apart.
const podMapBits = 16

// ParsePodMap reads two octets such as "127.65". The empty string gives the zero PodMap.
func ParsePodMap(text string) (PodMap, error) {
	if text == "" {
		return PodMap{}, nil
	}
	first, second, found := strings.Cut(text, ".")
	if !found || first != "127" {
		return PodMap{}, fmt.Errorf("pod map %q: want two octets of the loopback range, such as 127.65", text)
	}
	octet, err := strconv.ParseUint(second, 10, 8)
	if err != nil {
		return PodMap{}, fmt.Errorf("pod map %q: second octet: %w", text, err)
	}
	if octet == 0 {
		return PodMap{}, fmt.Errorf("pod map %q: 127.0 holds the machine's own services", text)
	}
	return PodMap{prefix: [2]byte{127, byte(octet)}, set: true}, nil
}

// Loopback gives the address at which the Pod with address pod is served, and whether it is served.
func (m PodMap) Loopback(pod netip.Addr) (netip.Addr, bool) {
	if !m.set || !pod.Is4() {
		return netip.Addr{}, false
	}
	b := pod.As4()
	return netip.AddrFrom4([4]byte{m.prefix[0], m.prefix[1], b[2], b[3]}), true
}

// check refuses a range of Pod addresses of which two would be served at one loopback address.
func (m PodMap) check(pods netip.Prefix) error {
	if !pods.Addr().Is4() {
		return fmt.Errorf("pod CIDR %s: only IPv4 is supported", pods)
	}
	if m.set && pods.Bits() < podMapBits {
		return fmt.Errorf("pod CIDR %s: a pod map needs /%d or longer", pods, podMapBits)
	}
	return nil
}
