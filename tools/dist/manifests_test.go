// Package dist has the tools that make what is given out, and holds the manifests for Kubernetes to its own types.
package dist

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestManifests builds what kubectl apply -k would send, and decodes it strictly: a key that Kubernetes does not know, or
// that has another type there, fails.
func TestManifests(t *testing.T) {
	for folder, want := range map[string]struct {
		replicas int32
		kinds    []string
	}{
		"one":     {1, []string{"Namespace", "ConfigMap", "Service", "StatefulSet"}},
		"cluster": {3, []string{"Namespace", "ConfigMap", "Service", "StatefulSet", "PodDisruptionBudget"}},
	} {
		t.Run(folder, func(t *testing.T) {
			found := map[string]runtime.Object{}
			for _, text := range documents(t, build(t, "../../packaging/kubernetes/"+folder)) {
				object, kind := decode(t, text)
				found[kind] = object
			}
			for _, kind := range want.kinds {
				if found[kind] == nil {
					t.Errorf("there is no %s", kind)
				}
			}
			if len(found) != len(want.kinds) {
				t.Errorf("there are %d kinds, want %v", len(found), want.kinds)
			}
			set := found["StatefulSet"].(*appsv1.StatefulSet)
			if *set.Spec.Replicas != want.replicas {
				t.Errorf("%d watchers, want %d", *set.Spec.Replicas, want.replicas)
			}
			holds(t, set)
			names(t, set, found["ConfigMap"].(*corev1.ConfigMap))
		})
	}
}

// holds is what keeps the container from more rights than it needs.
func holds(t *testing.T, set *appsv1.StatefulSet) {
	t.Helper()
	pod := set.Spec.Template.Spec
	rights := pod.Containers[0].SecurityContext
	if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser != 65532 || !*rights.ReadOnlyRootFilesystem ||
		*rights.AllowPrivilegeEscalation || *pod.AutomountServiceAccountToken {
		t.Errorf("the container has more rights than it needs: %v %v", pod.SecurityContext, rights)
	}
}

// names: the pod mounts the very ConfigMap that is made, whose name changes with what it holds.
func names(t *testing.T, set *appsv1.StatefulSet, made *corev1.ConfigMap) {
	t.Helper()
	for _, volume := range set.Spec.Template.Spec.Volumes {
		if volume.ConfigMap != nil && volume.ConfigMap.Name != made.Name {
			t.Errorf("mounted is %s, made is %s", volume.ConfigMap.Name, made.Name)
		}
	}
	if made.Data["watcher.yaml"] == "" {
		t.Error("no configuration is made")
	}
}

func build(t *testing.T, folder string) []byte {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func documents(t *testing.T, text []byte) (all [][]byte) {
	t.Helper()
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		one, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

func decode(t *testing.T, text []byte) (object runtime.Object, kind string) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	object, its, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(bytes.TrimSpace(text), nil, nil)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return object, its.Kind
}
