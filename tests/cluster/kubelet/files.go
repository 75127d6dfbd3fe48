package kubelet

import (
	"context"
	"fmt"
	"path"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
)

// fileReader gives the content of a file as a container finds it.
type fileReader func(file string) ([]byte, error)

// mountedFiles reads what a container has mounted from Secrets and ConfigMaps.
func mountedFiles(ctx context.Context, client clientset.Interface, pod *v1.Pod, c *v1.Container) fileReader {
	return func(file string) ([]byte, error) {
		file = path.Clean(file)
		for _, mount := range c.VolumeMounts {
			name, inside := strings.CutPrefix(file, path.Clean(mount.MountPath)+"/")
			if !inside {
				continue
			}
			for i := range pod.Spec.Volumes {
				if volume := &pod.Spec.Volumes[i]; volume.Name == mount.Name {
					return volumeFile(ctx, client, pod.Namespace, volume, path.Join(mount.SubPath, name))
				}
			}
		}
		return nil, fmt.Errorf("no volume is mounted for %s", file)
	}
}

// volumeFile reads one file of a Secret's or ConfigMap's volume.
func volumeFile(ctx context.Context, client clientset.Interface, namespace string, volume *v1.Volume, name string) ([]byte, error) {
	var items []v1.KeyToPath
	var content map[string][]byte
	switch {
	case volume.Secret != nil:
		secret, err := client.CoreV1().Secrets(namespace).Get(ctx, volume.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		items, content = volume.Secret.Items, secret.Data
	case volume.ConfigMap != nil:
		configMap, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		items, content = volume.ConfigMap.Items, map[string][]byte{}
		for key, text := range configMap.Data {
			content[key] = []byte(text)
		}
	default:
		return nil, fmt.Errorf("volume %s is neither a Secret nor a ConfigMap", volume.Name)
	}
	key := name
	if len(items) > 0 {
		key = ""
		for _, item := range items {
			if item.Path == name {
				key = item.Key
			}
		}
	}
	text, ok := content[key]
	if !ok {
		return nil, fmt.Errorf("volume %s has no file %s", volume.Name, name)
	}
	return text, nil
}
