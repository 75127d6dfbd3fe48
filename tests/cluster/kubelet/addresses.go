package kubelet

import (
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// addressCooldown is how long the address of an ended Pod stays unused. The Amazon VPC CNI plugin
// waits as long, so that whoever still sends to the old Pod does not reach a stranger.
const addressCooldown = 30 * time.Second

// dataPlaneHost is the end of the address on which the clients of a VPC reach the VPC Lattice data
// plane of the emulator; no Pod may be mapped onto it.
var dataPlaneHost = [2]byte{255, 254}

// addressPool gives the Pods of one cluster their addresses, round the whole range before it gives
// one twice. It is not safe for concurrent use.
type addressPool struct {
	prefix  netip.Prefix
	next    netip.Addr
	byAddr  map[netip.Addr]types.UID
	byPod   map[types.UID]netip.Addr
	resting map[netip.Addr]time.Time // until when the address of an ended Pod stays unused
}

func newAddressPool(prefix netip.Prefix) *addressPool {
	return &addressPool{
		prefix: prefix.Masked(), next: prefix.Masked().Addr(),
		byAddr: map[netip.Addr]types.UID{}, byPod: map[types.UID]netip.Addr{}, resting: map[netip.Addr]time.Time{},
	}
}

// reserve notes an address that a Pod has already, from its status or because it asked for it.
func (p *addressPool) reserve(pod types.UID, addr netip.Addr) {
	if old, ok := p.byPod[pod]; ok && old != addr && p.byAddr[old] == pod {
		delete(p.byAddr, old)
	}
	p.byPod[pod] = addr
	if _, taken := p.byAddr[addr]; !taken {
		p.byAddr[addr] = pod
	}
}

// take gives the Pod an address; a Pod that has one keeps it.
func (p *addressPool) take(pod types.UID, now time.Time) (netip.Addr, error) {
	if addr, ok := p.byPod[pod]; ok {
		return addr, nil
	}
	first := p.next
	for {
		addr := p.next
		p.next = addr.Next()
		if !p.prefix.Contains(p.next) {
			p.next = p.prefix.Addr()
		}
		if p.free(addr, now) {
			p.byAddr[addr], p.byPod[pod] = pod, addr
			delete(p.resting, addr)
			return addr, nil
		}
		if p.next == first {
			return netip.Addr{}, fmt.Errorf("no address is free in %s", p.prefix)
		}
	}
}

func (p *addressPool) free(addr netip.Addr, now time.Time) bool {
	b := addr.As4()
	if addr == p.prefix.Addr() || !p.prefix.Contains(addr.Next()) || [2]byte(b[2:]) == dataPlaneHost {
		return false // the network's own address, its broadcast address, the data plane
	}
	if _, taken := p.byAddr[addr]; taken {
		return false
	}
	until, resting := p.resting[addr]
	return !resting || !now.Before(until)
}

// release takes back the address of an ended Pod.
func (p *addressPool) release(pod types.UID, now time.Time) {
	addr, ok := p.byPod[pod]
	if !ok {
		return
	}
	delete(p.byPod, pod)
	if p.byAddr[addr] == pod {
		delete(p.byAddr, addr)
		p.resting[addr] = now.Add(addressCooldown)
	}
}
