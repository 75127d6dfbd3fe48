package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	controllerName = "application-networking.k8s.aws/gateway-api-controller"
	// Without delays of VPC Lattice a route is programmed within a second or two; the rest is for a loaded machine.
	restWithin = 10 * time.Second
	restPoll   = 100 * time.Millisecond
)

// A rest lets the first request of each test wait until its routes are programmed.
//
// The suite sends requests as soon as the routes are accepted and repeats those that were not answered as expected. One
// that expects 404 would pass by what is not there yet, and fail when it is: which of the two was chance.
type rest struct {
	cluster client.Client
	t       *testing.T

	lock sync.Mutex
	seen bool
}

// await returns at once after the first time, until forget is called.
func (r *rest) await() {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.seen {
		return
	}
	r.seen = true
	ctx, cancel := context.WithTimeout(context.Background(), restWithin)
	defer cancel()
	for {
		busy, err := r.pending(ctx)
		if err == nil && len(busy) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			r.t.Logf("routes %v are still being programmed after %v: %v", busy, restWithin, err)
			return
		case <-time.After(restPoll):
		}
	}
}

// forget makes the next test's first request wait again.
func (r *rest) forget() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.seen = false
}

// pending names the routes that have a status of ours which is not final yet.
func (r *rest) pending(ctx context.Context) ([]string, error) {
	var busy []string
	look := func(kind string, route client.Object, status gatewayv1.RouteStatus) {
		for _, parent := range status.Parents {
			if parent.ControllerName != controllerName {
				continue
			}
			programmed := meta.FindStatusCondition(parent.Conditions, string(gatewayv1.GatewayConditionProgrammed))
			if programmed == nil || programmed.Reason == string(gatewayv1.GatewayReasonPending) || programmed.ObservedGeneration < route.GetGeneration() {
				busy = append(busy, fmt.Sprintf("%s %s/%s", kind, route.GetNamespace(), route.GetName()))
			}
		}
	}
	var https gatewayv1.HTTPRouteList
	var grpcs gatewayv1.GRPCRouteList
	var tlss gatewayv1.TLSRouteList
	for _, list := range []client.ObjectList{&https, &grpcs, &tlss} {
		if err := r.cluster.List(ctx, list); err != nil {
			return nil, err
		}
	}
	for i := range https.Items {
		look("HTTPRoute", &https.Items[i], https.Items[i].Status.RouteStatus)
	}
	for i := range grpcs.Items {
		look("GRPCRoute", &grpcs.Items[i], grpcs.Items[i].Status.RouteStatus)
	}
	for i := range tlss.Items {
		look("TLSRoute", &tlss.Items[i], tlss.Items[i].Status.RouteStatus)
	}
	return busy, nil
}
