package main

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"

	"trellis/tests/cluster/kubelet"
)

// startControllers runs the loops of kube-controller-manager without which a namespace never ends,
// an owned object is never collected, a namespace has no default ServiceAccount, and a Service
// selects no Pod, and then the kubelet stand-in.
func startControllers(ctx context.Context, kubeconfig string, pods kubelet.Config) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	cfg.QPS = -1 // no client-side limit
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.UserAgent = "testcluster-controllers"
	client, err := clientset.NewForConfig(cfg)
	if err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(cfg)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	metaShared := metadatainformer.NewSharedInformerFactory(meta, 0)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(client.Discovery()))
	started := make(chan struct{})
	core, apps := shared.Core().V1(), shared.Apps().V1()

	ns := namespace.NewNamespaceController(ctx, client, meta, client.Discovery().ServerPreferredNamespacedResources,
		core.Namespaces(), 5*time.Minute, v1.FinalizerKubernetes)
	sa, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), client,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return err
	}
	eps := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), shared.Discovery().V1().EndpointSlices(),
		100, client, 0)
	rs := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), client, replicaset.BurstReplicas)
	dep, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), client)
	if err != nil {
		return err
	}
	gcBuilder := garbagecollector.NewDependencyGraphBuilder(ctx, meta, mapper, garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(shared, metaShared), started)
	gc, err := garbagecollector.NewComposedGarbageCollector(ctx, client, meta, mapper, gcBuilder)
	if err != nil {
		return err
	}
	kubelets, err := kubelet.New(client, core.Pods(), pods)
	if err != nil {
		return err
	}

	shared.Start(ctx.Done())
	metaShared.Start(ctx.Done())
	close(started)

	const refresh = 5 * time.Second // kube-controller-manager: 30 s
	go wait.UntilWithContext(ctx, func(context.Context) { mapper.Reset() }, refresh)
	go ns.Run(ctx, 4)
	go sa.Run(ctx, 1)
	go eps.Run(ctx, 2)
	go rs.Run(ctx, 2)
	go dep.Run(ctx, 2)
	go gc.Run(ctx, 4, 30*time.Second)
	go gc.Sync(ctx, client.Discovery(), refresh)
	return kubelets.Start(ctx)
}
