package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"trellis/tests/cluster/kubelet"
)

func TestEveryExampleIsAcceptedByStrictValidation(t *testing.T) {
	for _, c := range []*cluster{one, two} {
		if err := c.applyFiles(t.Context(), examples+"/*.yaml"); err != nil {
			t.Fatalf("cluster %s: %v", c.name, err)
		}
	}
}

func TestPodsOfTwoClustersWithOneCIDRAnswerSideBySide(t *testing.T) {
	seen := map[string]string{}
	var addresses [2][]string
	for i, c := range []*cluster{one, two} {
		if err := c.applyFiles(t.Context(), examples+"/parking.yaml"); err != nil {
			t.Fatal(err)
		}
		for _, pod := range c.readyPods(t, "parking", 2) {
			addresses[i] = append(addresses[i], pod.Status.PodIP)
			want := fmt.Sprintf("Requesting to Pod(%s): parking handler pod\n", pod.Name)
			at := c.urlOf(t, &pod)
			status, body := get(t, at)
			if status != http.StatusOK || body != want {
				t.Errorf("%s in cluster %s: got %d %q, want 200 %q", at, c.name, status, body, want)
			}
			seen[pod.Name] = at
		}
		c.waitForEndpoints(t, "parking", addresses[i])
	}
	if len(seen) != 4 {
		t.Errorf("want four Pods, have %v", seen)
	}
	cidr := netip.MustParsePrefix(podCIDR)
	for _, address := range slices.Concat(addresses[0], addresses[1]) {
		if !cidr.Contains(netip.MustParseAddr(address)) {
			t.Errorf("%s is not in %s", address, podCIDR)
		}
	}
}

func TestARolloutWithAPreStopSleepLosesNoRequest(t *testing.T) {
	ctx := t.Context()
	replicas := int32(2)
	labels := map[string]string{"app": "steady"}
	template := v1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: v1.PodSpec{Containers: []v1.Container{{
			Name: "steady", Image: "http-server", Ports: []v1.ContainerPort{{ContainerPort: guidePort}},
			Lifecycle: &v1.Lifecycle{PreStop: &v1.LifecycleHandler{Sleep: &v1.SleepAction{Seconds: 2}}},
		}}},
	}
	deployments := one.client.AppsV1().Deployments(testNamespace)
	deployment, err := deployments.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "steady"},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deployments.Delete(context.Background(), deployment.Name, metav1.DeleteOptions{}) })
	old := one.readyPods(t, "steady", 2)

	patch := []byte(`{"spec":{"template":{"metadata":{"annotations":{"rollout":"2"}}}}}`)
	if _, err := deployments.Patch(ctx, "steady", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	// Whoever still knows only the old addresses is served for as long as the sleep lasts.
	at := one.urlOf(t, &old[0])
	served := 0
	err = eventually(ctx, func() error {
		pod, err := one.client.CoreV1().Pods(testNamespace).Get(ctx, old[0].Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("the old Pod went before it was seen to end: %w", err)
		}
		if status, _ := get(t, at); status != http.StatusOK {
			return fmt.Errorf("the old Pod answered %d", status)
		}
		if pod.DeletionTimestamp == nil {
			return errNotYet
		}
		if served++; served < 20 {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	one.waitUntilGone(t, old[0].Name)
	if _, err := http.Get(at); err == nil { //nolint:bodyclose // an error is expected
		t.Errorf("%s answers though its Pod is gone", at)
	}
}

func TestAnAddressIsKeptOverARestartAndNotGivenTwice(t *testing.T) {
	if err := two.applyFiles(t.Context(), examples+"/review.yaml"); err != nil {
		t.Fatal(err)
	}
	before := addressesOf(two.readyPods(t, "review", 2))
	if err := two.halt(); err != nil {
		t.Fatal(err)
	}
	if err := two.start(); err != nil {
		t.Fatal(err)
	}
	after := two.readyPods(t, "review", 2)
	if got := addressesOf(after); !slices.Equal(got, before) {
		t.Errorf("addresses changed from %v to %v", before, got)
	}
	for _, pod := range after {
		at := two.urlOf(t, &pod)
		if err := eventually(t.Context(), func() error {
			resp, err := http.Get(at)
			if err != nil {
				return errNotYet // the status is older than the listener after a restart
			}
			return resp.Body.Close()
		}); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	scale := []byte(`{"spec":{"replicas":4}}`)
	if _, err := two.client.AppsV1().Deployments(testNamespace).Patch(t.Context(), "review", types.MergePatchType, scale, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	all := addressesOf(two.readyPods(t, "review", 4))
	if len(slices.Compact(all)) != 4 {
		t.Errorf("an address was given twice: %v", all)
	}
}

// readyPods waits for exactly n ready Pods of an app that are not being deleted, sorted by address.
func (c *cluster) readyPods(t *testing.T, app string, n int) []v1.Pod {
	t.Helper()
	var ready []v1.Pod
	err := eventually(t.Context(), func() error {
		list, err := c.client.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return err
		}
		ready = nil
		for _, pod := range list.Items {
			isReady := slices.ContainsFunc(pod.Status.Conditions, func(cond v1.PodCondition) bool {
				return cond.Type == v1.PodReady && cond.Status == v1.ConditionTrue
			})
			if isReady && pod.DeletionTimestamp == nil {
				ready = append(ready, pod)
			}
		}
		if len(ready) != n {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%d ready Pods of %s: %v (have %d)\n%s", n, app, err, len(ready), c.logTail())
	}
	return ready
}

func addressesOf(pods []v1.Pod) []string {
	var all []string
	for _, pod := range pods {
		all = append(all, pod.Status.PodIP)
	}
	slices.Sort(all)
	return all
}

// urlOf is where a Pod answers on this machine.
func (c *cluster) urlOf(t *testing.T, pod *v1.Pod) string {
	t.Helper()
	podMap, err := kubelet.ParsePodMap(c.podMap)
	if err != nil {
		t.Fatal(err)
	}
	loopback, _ := podMap.Loopback(netip.MustParseAddr(pod.Status.PodIP))
	return fmt.Sprintf("http://%s:%d/", loopback, guidePort)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (c *cluster) waitForEndpoints(t *testing.T, service string, want []string) {
	t.Helper()
	slices.Sort(want)
	var have []string
	err := eventually(t.Context(), func() error {
		slices_, err := c.client.DiscoveryV1().EndpointSlices(testNamespace).List(t.Context(),
			metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		if err != nil {
			return err
		}
		have = nil
		for _, slice := range slices_.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
					have = append(have, endpoint.Addresses...)
				}
			}
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatalf("endpoints of %s: want %v, have %v: %v", service, want, have, err)
	}
}

func (c *cluster) waitUntilGone(t *testing.T, pod string) {
	t.Helper()
	err := eventually(t.Context(), func() error {
		list, err := c.client.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + pod})
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatalf("Pod %s is still there: %v", pod, err)
	}
}
