// Package kubelet stands for the scheduler and the kubelets of a cluster. It binds each Pod to a
// Node that it invented, gives it an address, answers HTTP in its place, says in its status that it
// runs, and ends it when it is deleted. No container is started.
package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	clientset "k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// Annotations of a Pod that steer it.
const (
	// AnnotationIP is the address to report instead of one of the cluster's range.
	AnnotationIP = "testcluster/ip"
	// AnnotationReady keeps the containers unready when it is "false"; they answer all the same.
	AnnotationReady = "testcluster/ready"
	// AnnotationHTTPStatus is the status with which the guide's image answers (default 200).
	AnnotationHTTPStatus = "testcluster/http-status"
)

// A step of a Pod that failed is tried again after retryFirst, then twice as long each time up to
// retryMost: what it waits for (a port, an address) may come free at any time, and someone watches.
const (
	retryFirst = 20 * time.Millisecond
	retryMost  = 2 * time.Second
)

// Config is what a Kubelet needs to know about its cluster.
type Config struct {
	PodCIDR netip.Prefix // the addresses that Pods get; EndpointSlices refuse loopback ones
	Nodes   int          // how many Nodes to invent
	Map     PodMap       // where Pods answer HTTP; the zero value: nowhere
}

// Kubelet is one controller loop over the Pods of a cluster. One goroutine changes its state.
type Kubelet struct {
	client    clientset.Interface
	pods      corelisters.PodLister
	synced    cache.InformerSynced
	queue     workqueue.TypedRateLimitingInterface[string]
	nodes     []string
	podMap    PodMap
	addresses *addressPool
	known     map[string]types.UID // the Pods that hold an address, by namespace/name
	running   map[string]*instance // those of them that answer
	scheduled int
	now       func() time.Time
}

// New makes a Kubelet for the Pods that the informer sees; Start runs it.
func New(client clientset.Interface, pods coreinformers.PodInformer, config Config) (*Kubelet, error) {
	if err := config.Map.check(config.PodCIDR); err != nil {
		return nil, err
	}
	if config.Nodes < 1 {
		return nil, fmt.Errorf("%d nodes: a Pod needs one", config.Nodes)
	}
	k := &Kubelet{
		client: client, pods: pods.Lister(), synced: pods.Informer().HasSynced,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryFirst, retryMost)),
		podMap: config.Map, addresses: newAddressPool(config.PodCIDR),
		known: map[string]types.UID{}, running: map[string]*instance{}, now: time.Now,
	}
	for i := range config.Nodes {
		k.nodes = append(k.nodes, fmt.Sprintf("node-%d", i))
	}
	enqueue := func(obj any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
			k.queue.Add(key)
		}
	}
	_, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, obj any) { enqueue(obj) }, DeleteFunc: enqueue,
	})
	return k, err
}

// Start makes the Nodes, waits for the informer and runs the loop until ctx ends.
func (k *Kubelet) Start(ctx context.Context) error {
	if err := k.createNodes(ctx); err != nil {
		return err
	}
	if !cache.WaitForCacheSync(ctx.Done(), k.synced) {
		return context.Cause(ctx)
	}
	if err := k.reserveKnown(); err != nil {
		return err
	}
	go func() { <-ctx.Done(); k.queue.ShutDown() }()
	go k.work(ctx)
	return nil
}

// reserveKnown keeps the addresses of Pods that ran before a restart from being given again.
func (k *Kubelet) reserveKnown() error {
	pods, err := k.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if pod.Status.PodIP == "" {
			continue
		}
		if _, err := k.address(pod); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kubelet) createNodes(ctx context.Context) error {
	const zones = 3 // us-west-2a to c
	for i, name := range k.nodes {
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			v1.LabelHostname: name, v1.LabelTopologyRegion: "us-west-2",
			v1.LabelTopologyZone: fmt.Sprintf("us-west-2%c", 'a'+i%zones),
		}}}
		got, err := k.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
		now := metav1.NewTime(k.now())
		got.Status.Conditions = []v1.NodeCondition{{
			Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "TestCluster",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}}
		if _, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, got, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("status of node %s: %w", name, err)
		}
	}
	return nil
}

func (k *Kubelet) work(ctx context.Context) {
	for {
		key, quit := k.queue.Get()
		if quit {
			for _, inst := range k.running {
				inst.servers.close()
			}
			return
		}
		err := k.sync(ctx, key)
		// After a conflict or a deletion the informer brings the newer object by itself; a Secret that is not there yet
		// is no such case.
		var start *containerError
		if err == nil || !errors.As(err, &start) && (apierrors.IsConflict(err) || apierrors.IsNotFound(err)) {
			k.queue.Forget(key)
		} else {
			klog.ErrorS(err, "kubelet", "pod", key)
			k.queue.AddRateLimited(key)
		}
		k.queue.Done(key)
	}
}

// sync takes one Pod the next step of its life.
func (k *Kubelet) sync(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	pod, err := k.pods.Pods(namespace).Get(name)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if uid, ok := k.known[key]; ok && (err != nil || pod.UID != uid) {
		k.forget(key) // gone without a grace period
	}
	switch {
	case err != nil:
		return nil
	case pod.DeletionTimestamp != nil:
		return k.end(ctx, key, pod)
	case pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed:
		return nil
	case pod.Spec.NodeName == "":
		return k.schedule(ctx, pod)
	default:
		return k.run(ctx, key, pod)
	}
}

func (k *Kubelet) schedule(ctx context.Context, pod *v1.Pod) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	if _, err := k.address(pod); err != nil {
		want := pod.DeepCopy()
		setCondition(&want.Status.Conditions, v1.PodCondition{
			Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: v1.PodReasonUnschedulable, Message: err.Error(),
		}, metav1.NewTime(k.now()))
		if !equality.Semantic.DeepEqual(pod.Status, want.Status) {
			if _, patchErr := pods.UpdateStatus(ctx, want, metav1.UpdateOptions{}); patchErr != nil {
				return errors.Join(err, patchErr)
			}
		}
		return err
	}
	node := k.nodes[k.scheduled%len(k.nodes)]
	k.scheduled++
	return pods.Bind(ctx, &v1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     v1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
}

// run opens the Pod's listeners, and only then reports it ready.
func (k *Kubelet) run(ctx context.Context, key string, pod *v1.Pod) error {
	addr, err := k.address(pod)
	if err != nil {
		return err
	}
	inst := k.running[key]
	var startErr error
	if inst == nil {
		files := func(c *v1.Container) fileReader { return mountedFiles(ctx, k.client, pod, c) }
		if inst, startErr = startInstance(pod, addr, k.podMap, files); startErr == nil {
			k.running[key] = inst
		}
	}
	if startErr == nil {
		inst.observe(pod)
	}
	want := pod.DeepCopy()
	want.Status = podStatus(pod, addr, startErr, metav1.NewTime(k.now().Truncate(time.Second)))
	if !equality.Semantic.DeepEqual(pod.Status, want.Status) {
		if _, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, want, metav1.UpdateOptions{}); err != nil {
			return errors.Join(startErr, err)
		}
	}
	return startErr
}

// end drains a deleted Pod within its grace period and then lets the API server forget it.
func (k *Kubelet) end(ctx context.Context, key string, pod *v1.Pod) error {
	if inst := k.running[key]; inst != nil {
		if !inst.drained(ctx, pod, func() { k.queue.Add(key) }) {
			return nil
		}
	}
	now := int64(0)
	err := k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if err == nil || apierrors.IsNotFound(err) {
		k.forget(key)
	}
	return err
}

// forget cuts off what is left of a Pod and takes back its address.
func (k *Kubelet) forget(key string) {
	if inst := k.running[key]; inst != nil {
		inst.servers.close()
		delete(k.running, key)
	}
	k.addresses.release(k.known[key], k.now())
	delete(k.known, key)
}

// address is the one in the Pod's status, else the one it asks for, else one of the range.
func (k *Kubelet) address(pod *v1.Pod) (netip.Addr, error) {
	k.known[cache.MetaObjectToName(pod).String()] = pod.UID
	for _, known := range []string{pod.Status.PodIP, pod.Annotations[AnnotationIP]} {
		if known == "" {
			continue
		}
		addr, err := netip.ParseAddr(known)
		if err != nil {
			return netip.Addr{}, err
		}
		k.addresses.reserve(pod.UID, addr)
		return addr, nil
	}
	return k.addresses.take(pod.UID, k.now())
}
