package kubelet

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
)

// instance is one running Pod: its open listeners and how far its end has come.
type instance struct {
	servers *servers
	status  atomic.Int32 // with which the guide's image answers
	drain   chan struct{}
}

// startInstance opens the listeners of a Pod; with a zero map there are none. An error is a
// *containerError.
func startInstance(pod *v1.Pod, addr netip.Addr, podMap PodMap, files func(*v1.Container) fileReader) (*instance, error) {
	inst := &instance{servers: &servers{}}
	inst.observe(pod)
	loopback, served := podMap.Loopback(addr)
	if !served {
		return inst, nil
	}
	withAddress := pod.DeepCopy()
	withAddress.Status.PodIP = addr.String()
	services, err := servicesOf(withAddress, &inst.status, files)
	if err != nil {
		return nil, err
	}
	open, err := openServers(loopback, services)
	if err != nil {
		return nil, err
	}
	inst.servers = open
	return inst, nil
}

// observe takes over what may change while the Pod runs.
func (i *instance) observe(pod *v1.Pod) {
	status := http.StatusOK
	// 101 and the other interim statuses end no answer, so they are no choice here.
	if asked, err := strconv.Atoi(pod.Annotations[AnnotationHTTPStatus]); err == nil && asked >= 200 && asked <= 599 {
		status = asked
	}
	i.status.Store(int32(status)) //nolint:gosec // between 200 and 599
}

// drained starts the end of the Pod when it is first called and says whether it is over; when it is
// over later, it calls ended. As a kubelet does, it first waits for the preStop sleep of the
// containers, during which they go on serving, then stops them; both within the grace period.
func (i *instance) drained(ctx context.Context, pod *v1.Pod, ended func()) bool {
	if i.drain != nil {
		select {
		case <-i.drain:
			return true
		default:
			return false
		}
	}
	i.drain = make(chan struct{})
	grace := time.Duration(v1.DefaultTerminationGracePeriodSeconds) * time.Second
	if seconds := pod.DeletionGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		sleep := time.NewTimer(preStopSleep(pod))
		defer sleep.Stop()
		select {
		case <-sleep.C:
		case <-ctx.Done():
		}
		i.servers.shutdown(ctx)
		close(i.drain)
		ended()
	}()
	return false
}

// preStopSleep is the longest sleep that a container of the Pod asks for before it is stopped.
func preStopSleep(pod *v1.Pod) time.Duration {
	longest := time.Duration(0)
	for i := range pod.Spec.Containers {
		hooks := pod.Spec.Containers[i].Lifecycle
		if hooks == nil || hooks.PreStop == nil || hooks.PreStop.Sleep == nil {
			continue
		}
		longest = max(longest, time.Duration(hooks.PreStop.Sleep.Seconds)*time.Second)
	}
	return longest
}
